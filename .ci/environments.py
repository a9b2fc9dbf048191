"""Virtual environments for checks: what pyproject.toml asks for, installed under a given Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCH_FILE = ROOT / ".ci" / "torch.txt"
"""The PyTorch that everything is tested with."""
HEAVY = ("torch", "transformers", "peft")
"""What the smoke tests do without."""
TOOLS = ("pytest", "pytest-xdist", "hypothesis")
"""What running tests needs, besides lamo's own dependencies."""
SMOKE = ("tests/smoke", "-m", "smoke", "-n", "0")

_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Failed(Exception):
    """A command that did not end well; holds its output."""


def project() -> dict[str, object]:
    """Return the table `project` of pyproject.toml."""
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def requirements(*extras: str) -> list[str]:
    """Return the dependencies, and those of extras; raises `SystemExit` for an extra that there is not."""
    table = project()
    optional = table["optional-dependencies"]
    assert isinstance(optional, dict)
    if unknown := sorted(set(extras) - optional.keys()):
        raise SystemExit(f"no extra {', '.join(unknown)}; known: {', '.join(sorted(optional))}")
    asked = table["dependencies"]
    assert isinstance(asked, list)
    return list(dict.fromkeys([*asked, *(one for extra in extras for one in optional[extra])]))


def name_of(requirement: str) -> str:
    """Return the package that a requirement such as `rich>=14,<16` is about."""
    found = _NAME.match(requirement)
    assert found is not None, requirement
    return found[0]


def without(asked: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the requirements but those of the packages named."""
    return [one for one in asked if name_of(one) not in names]


def only(asked: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the requirements of the packages named."""
    return [one for one in asked if name_of(one) in names]


def folder_for(purpose: str) -> Path:
    """Return where the environment for a purpose lies: beside that of `.ci/run`, which `LAMO_CI_VENV` can move."""
    return ROOT / f"{os.environ.get('LAMO_CI_VENV', '.venv')}-{purpose}"


def make(folder: Path, python: Path, *, fresh: bool = False) -> Path:
    """Return the Python of an environment in a folder, made anew unless it is there and of this very version."""
    own = folder / "bin" / "python"
    if fresh or version_of(own) is None or version_of(own) != version_of(python):
        run([python, "-m", "venv", "--clear", folder])
    return own


def version_of(python: Path) -> tuple[int, int, int] | None:
    """Return the version of a Python that runs and can make environments; None of whatever else bears its name."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:3])"
    try:
        done = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, cwd="/"
        )
        major, minor, patch = map(int, done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return (major, minor, patch) if done.returncode == 0 else None


def install(python: Path, *asked: str) -> None:
    """Install requirements, or find them installed; raises `Failed`."""
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *asked])


def run(command: Sequence[str | Path], *, seconds: float | None = None) -> str:
    """Run a command in the project's folder and return what it printed; raises `Failed`, too when it takes longer."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(map(str, command))}\nstopped after {seconds:.0f} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout}\nexit code {done.returncode}")
    return done.stdout


def show(command: Sequence[str | Path]) -> int:
    """Run a command in the project's folder for all to see, and return its exit code."""
    sys.stdout.flush()
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode
