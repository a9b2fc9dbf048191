"""The Python interface: loaded when it is used, documented, typed, and as its documentation shows it."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lamo_core as lamo

ROOT = Path(__file__).parents[2]


def test_to_ask_for_a_name_loads_no_torch() -> None:
    code = "import sys, lamo_core as lamo; print(all(hasattr(lamo, name) for name in lamo.__all__)); "
    code += "print(hasattr(lamo, 'nothing')); print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["True", "False", "[]"]


def test_the_names_that_checkers_see_are_the_exported_ones() -> None:
    tree = ast.parse(Path(lamo.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted([*imported, "__version__"]) == lamo.__all__
    assert set(lamo.__all__) <= set(dir(lamo))
    for name, module in imported.items():
        assert getattr(lamo, name).__module__ == module


def test_the_version_is_that_of_the_distribution() -> None:
    assert lamo.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_both_packages_say_that_they_are_typed() -> None:
    assert (ROOT / "lamo_core" / "py.typed").is_file()
    assert (ROOT / "lamo_tui" / "py.typed").is_file()


@pytest.mark.parametrize("name", [name for name in lamo.__all__ if name != "__version__"])
def test_every_export_is_documented(name: str) -> None:
    export = getattr(lamo, name)
    assert inspect.getdoc(export)
    if inspect.isfunction(export):
        words = inspect.getdoc(export) or ""
        assert all(parameter in words for parameter in inspect.signature(export).parameters if parameter != "kind")
        assert name == "list_presets" or "rais" in words.lower()
    elif inspect.isclass(export):
        public = [member for key, member in vars(export).items() if not key.startswith("_")]
        members = [member for member in public if inspect.isfunction(member) or isinstance(member, property)]
        assert all(inspect.getdoc(member) for member in members)


def snippets(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def test_the_first_snippet_runs_as_it_is_printed(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    first = snippets(ROOT / "docs" / "python.md")[0]
    assert first.count("\n") <= 12
    (tmp_path / "snippet.py").write_text(first)
    done = subprocess.run(
        [sys.executable, "snippet.py"],
        cwd=tmp_path,
        env={**_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "for target" in done.stdout
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_all_snippets_are_python_that_names_what_there_is() -> None:
    for snippet in snippets(ROOT / "docs" / "python.md"):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lamo":
                assert node.attr in lamo.__all__


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LAMO_")}
