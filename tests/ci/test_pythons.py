"""Which Pythons the checks find, and which requirements they install: oldest, newest, without PyTorch."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / ".ci"
OWN = sys.version_info[:3]


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import one of the programs, whose names have no ending."""
    monkeypatch.syspath_prepend(str(FOLDER))
    loader = importlib.machinery.SourceFileLoader(f"ci_{name}", str(FOLDER / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def pythons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The program that tests under other Pythons, on a machine that has none so far."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    (tmp_path / "bin").mkdir()
    return load("pythons", monkeypatch)


def program(path: Path, line: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


def test_a_name_that_does_not_run_is_not_found(pythons: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    program(tmp_path / "bin" / "python3.13", "echo 3 13 0; exit 1")
    (tmp_path / "bin" / "python3.14").write_text("no program")
    (tmp_path / "bin" / "python3.15").symlink_to(tmp_path / "nowhere")
    program(tmp_path / "bin" / "python3.10", "echo 3 10 9")
    program(tmp_path / "bin" / "python3.12-config", "echo 3 12 9")
    assert pythons.find_pythons() == {}


def test_pyenvs_versions_are_looked_into_behind_a_name_that_does_not_run(pythons: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.12", "exit 127")
    here = program(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python", "echo 3 12 1")
    program(tmp_path / "pyenv" / "versions" / "3.9.18" / "bin" / "python", "echo 3 9 18")
    assert pythons.find_pythons() == {12: ((3, 12, 1), here)}


def test_the_newest_of_a_minor_version_is_taken(pythons: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.13", "echo 3 13 2")
    program(tmp_path / "pyenv" / "versions" / "3.13.1" / "bin" / "python", "echo 3 13 1")
    newest = program(tmp_path / "pyenv" / "versions" / "3.13.11" / "bin" / "python", "echo 3 13 11")
    assert pythons.find_pythons() == {13: ((3, 13, 11), newest)}


def test_a_real_one_is_found(pythons: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "bin" / f"python3.{OWN[1]}").symlink_to(sys.executable)
    assert pythons.find_pythons()[OWN[1]][0] == OWN


def test_what_is_not_here_is_named_and_no_failure(
    pythons: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert pythons.main([]) == 0
    told = capsys.readouterr().out
    assert "passed by none" in told
    assert "3.11, 3.12, 3.13, 3.14, 3.15" in told
    assert pythons.main(["3.13"]) == 2
    assert "not found here: Python 3.13" in capsys.readouterr().err


def test_those_that_pass_and_fail_are_told_apart(
    pythons: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def smoke(version: tuple[int, int, int], path: Path) -> str:
        if version[1] == 98:
            raise pythons.Failed("2 failed")
        return "145 passed"

    monkeypatch.setattr(pythons, "smoke", smoke)
    for minor in (97, 98):
        program(tmp_path / "bin" / f"python3.{minor}", f"echo 3 {minor} 0")
    assert pythons.main([]) == 1
    told = capsys.readouterr().out
    assert "Python 3.97.0 passes the smoke tests: 145 passed" in told
    assert "Python 3.98.0 FAILS the smoke tests: 2 failed" in told
    assert "passed by 3.97.0;" in told


def test_every_dependency_has_a_lower_bound_to_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    dependencies = load("dependencies", monkeypatch)
    assert dependencies.oldest("rich>=14.2,<16") == "rich==14.2"
    assert dependencies.oldest("datasets>=3") == "datasets==3"
    extras = sys.modules["environments"].project()["optional-dependencies"]
    for requirement in dependencies.requirements(*extras):
        assert "==" in dependencies.oldest(requirement)
    with pytest.raises(SystemExit, match="no lower bound"):
        dependencies.oldest("rich<16")


def test_the_smoke_tests_want_nothing_that_builds_on_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    dependencies = load("dependencies", monkeypatch)
    light = dependencies.without(dependencies.requirements(), dependencies.HEAVY)
    names = {dependencies.name_of(one) for one in light}
    assert {"textual", "typer", "numpy"} <= names
    assert not names & {"torch", "transformers", "peft"}
    with pytest.raises(SystemExit, match="no extra nonsense"):
        dependencies.requirements("nonsense")


def test_what_follows_two_dashes_goes_to_pytest(
    pythons: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[str]] = []
    installed: list[tuple[str, ...]] = []
    monkeypatch.setattr(pythons, "make", lambda folder, python: folder / "bin" / "python")
    monkeypatch.setattr(pythons, "install", lambda python, *words: installed.append(words))
    monkeypatch.setattr(pythons, "show", lambda command: shown.append([str(word) for word in command]) or 3)
    program(tmp_path / "bin" / "python3.97", "echo 3 97 0")
    assert pythons.main(["--full", "3.97", "--", "tests/model", "-x"]) == 3
    assert shown[0][0].endswith("-full-3.97/bin/python")
    assert shown[0][1:] == ["-m", "pytest", "tests/model", "-x"]
    assert installed == [("-r", str(FOLDER / "torch.txt")), ("-e", ".[dev]")]


def test_the_tests_that_touch_every_dependency_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    dependencies = load("dependencies", monkeypatch)
    named = [*dependencies.WITH_TORCH, *dependencies.LIGHT, *sum(dependencies.OF_EXTRAS.values(), ())]
    assert [path for path in named if not (FOLDER.parent / path).exists()] == []
