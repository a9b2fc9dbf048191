"""Install hints name lamo's own package, the environment that runs, and the tool that made it."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution
from pathlib import Path

import pytest

from lamo_core import install_hint
from lamo_core.install_hint import DISTRIBUTION, Installation, extras_command, hint, package_hint, packages_command

ROOT = Path(__file__).parents[1]
PYTHON = "/opt/env/bin/python"
REQUIREMENTS = {"mujoco": ("mujoco<3.12,>=3.2", "gymnasium-robotics"), "video": ("pillow",)}


@pytest.mark.parametrize(
    ("found", "extra", "package"),
    [
        (
            Installation("pip", PYTHON),
            f"{PYTHON} -m pip install 'lamo-rl[mujoco]'",
            f"{PYTHON} -m pip install gguf",
        ),
        (
            Installation("pip", "/my env/python", source="git+https://host/lamo@abc"),
            "'/my env/python' -m pip install 'lamo-rl[mujoco] @ git+https://host/lamo@abc'",
            "'/my env/python' -m pip install gguf",
        ),
        (
            Installation("pip", PYTHON, source="/src/lamo", editable=True),
            f"{PYTHON} -m pip install -e '/src/lamo[mujoco]'",
            f"{PYTHON} -m pip install gguf",
        ),
        (
            Installation("uv", PYTHON),
            f"uv pip install --python {PYTHON} 'lamo-rl[mujoco]'",
            f"uv pip install --python {PYTHON} gguf",
        ),
        (
            Installation("uv tool", PYTHON, extras=("video",), requirements=REQUIREMENTS),
            "uv tool install 'lamo-rl[video,mujoco]'",
            "uv tool install --with gguf 'lamo-rl[video]'",
        ),
        (
            Installation("pipx", PYTHON, requirements=REQUIREMENTS),
            "pipx inject lamo-rl 'mujoco<3.12,>=3.2' gymnasium-robotics",
            "pipx inject lamo-rl gguf",
        ),
    ],
)
def test_hints_follow_the_tool_that_installed_lamo(found: Installation, extra: str, package: str) -> None:
    assert extras_command(found, ("mujoco",)) == extra
    assert packages_command(found, ("gguf",)) == package


def test_a_checkout_is_named_by_a_dot_from_within(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = Installation("pip", PYTHON, source=str(tmp_path))
    assert extras_command(found, ("mujoco",)) == f"{PYTHON} -m pip install '.[mujoco]'"


def test_packages_come_without_what_they_need_where_that_is_asked() -> None:
    for installer, command in (
        ("pip", f"{PYTHON} -m pip install --no-deps a b"),
        ("uv", f"uv pip install --python {PYTHON} --no-deps a b"),
        ("uv tool", f"uv pip install --python {PYTHON} --no-deps a b"),
        ("pipx", "pipx inject lamo-rl a b --pip-args=--no-deps"),
    ):
        found = Installation(installer, PYTHON)  # type: ignore[arg-type]
        assert packages_command(found, ("a", "b"), dependencies=False) == command


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The metadata of an installed lamo in an environment of its own; returns the environment's folder."""
    prefix = tmp_path / "env"
    metadata = prefix / "lamo_rl.dist-info"
    metadata.mkdir(parents=True)
    lines = ["Name: lamo-rl", "Requires-Dist: torch", 'Requires-Dist: numpy>=2; extra == "video"']
    lines += ['Requires-Dist: no-such-package; extra == "mujoco"', 'Requires-Dist: numpy; extra == "dev"']
    (metadata / "METADATA").write_text("\n".join(lines))

    def find(name: str) -> Distribution:
        if name == DISTRIBUTION:
            return PathDistribution(metadata)
        if name == "no-such-package":
            raise PackageNotFoundError(name)
        return PathDistribution(metadata)

    monkeypatch.setattr(install_hint, "distribution", find)
    monkeypatch.setattr(install_hint, "__file__", str(prefix / "lamo_core" / "install_hint.py"))
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sys, "executable", PYTHON)
    monkeypatch.setattr(install_hint, "find_spec", lambda name: object())
    return prefix


def test_an_installation_is_known_by_its_metadata(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hint("mujoco") == f"{PYTHON} -m pip install 'lamo-rl[mujoco]'"
    assert package_hint("mujoco<3.12") == f"{PYTHON} -m pip install 'mujoco<3.12'"
    found = install_hint.this_installation()
    assert found.extras == ("video",)
    assert found.requirements["mujoco"] == ("no-such-package",)
    monkeypatch.setattr(install_hint, "find_spec", lambda name: None)
    assert hint("mujoco") == f"uv pip install --python {PYTHON} 'lamo-rl[mujoco]'"


@pytest.mark.parametrize(
    ("sign", "command"),
    [("uv-receipt.toml", "uv tool install 'lamo-rl[video,mujoco]'"), ("pipx_metadata.json", "pipx inject lamo-rl")],
)
def test_tools_are_known_by_the_file_in_their_environment(installed: Path, sign: str, command: str) -> None:
    (installed / sign).touch()
    assert hint("mujoco").startswith(command)


@pytest.mark.parametrize(("parts", "command"), [(("uv", "tools"), "uv tool"), (("pipx", "venvs"), "pipx")])
def test_tools_are_known_by_their_folders(
    installed: Path, parts: tuple[str, str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(Path("/home/me/.local/share", *parts, "lamo-rl")))
    assert hint("mujoco").startswith(command)


def test_what_was_installed_from_elsewhere_is_installed_from_there(installed: Path) -> None:
    source = installed / "a folder"
    source.mkdir()
    origin = installed / "lamo_rl.dist-info" / "direct_url.json"
    origin.write_text(json.dumps({"url": source.as_uri(), "dir_info": {}}))
    assert hint("mujoco") == f"{PYTHON} -m pip install '{source}[mujoco]'"
    source.rmdir()
    assert hint("mujoco") == f"{PYTHON} -m pip install 'lamo-rl[mujoco]'"
    origin.write_text('{"url": "https://host/l.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}')
    assert hint() == f"{PYTHON} -m pip install 'lamo-rl @ git+https://host/l.git@abc'"
    for damaged in ("{", "[]", '{"url": "x", "vcs_info": {"vcs": 1}}'):
        origin.write_text(damaged)
        assert hint() == f"{PYTHON} -m pip install lamo-rl"


def test_a_checkout_is_installed_in_place(installed: Path) -> None:
    (installed / "pyproject.toml").touch()
    assert hint("mujoco") == f"{PYTHON} -m pip install -e '{installed}[mujoco]'"


def test_the_distribution_has_the_name_that_hints_use() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"] == DISTRIBUTION


def _strings(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


_STRANGER = re.compile(r"(pip|pipx|uv)[\w ]* (install|inject)|install (-\S+ )*'?lamo\b(?!-rl)|lamo\[")


def test_no_other_place_prints_an_install_command_and_none_names_anothers_package() -> None:
    paths = [path for folder in ("lamo_core", "lamo_tui") for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 300
    for path in paths:
        if path != ROOT / "lamo_core" / "install_hint.py":
            assert not [text for text in _strings(path) if _STRANGER.search(text)], path
    for path in (ROOT / "presets").rglob("*.toml"):
        assert not _STRANGER.search(path.read_text()), path


@pytest.mark.parametrize(
    "text",
    ["pip install lamo", "run: pip install 'lamo[video]'", "install lamo again", "uv pip install x", "see lamo[ray]"],
)
def test_the_search_for_install_commands_finds_them(text: str) -> None:
    assert _STRANGER.search(text)
