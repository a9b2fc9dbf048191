"""The direction of imports, and what must not be loaded."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FORBIDDEN = {
    "lamo_core": ["lamo_tui", "textual", "typer", "rich"],
    "lamo_core/tasks": ["lamo_core.training", "lamo_core.evaluation", "lamo_core.runs"],
    "lamo_core/data": ["lamo_core.training", "lamo_core.evaluation", "lamo_core.runs", "lamo_core.model"],
    "lamo_core/language": ["lamo_core.training", "lamo_core.evaluation", "lamo_core.runs"],
    "lamo_core/model": ["lamo_core.training", "lamo_core.evaluation", "lamo_core.runs"],
    "lamo_core/baselines": ["lamo_core.training", "lamo_core.evaluation", "lamo_core.runs"],
    "lamo_core/training": ["lamo_core.runs"],
    "lamo_core/evaluation": ["lamo_core.runs"],
    "lamo_core/runs": ["torch", "transformers", "lamo_core.model", "lamo_core.data"],
    "lamo_core/reports": ["torch", "transformers", "lamo_core.model", "lamo_core.data", "lamo_core.training"],
    "lamo_core/sweep": ["torch", "transformers", "lamo_core.model", "lamo_core.data", "lamo_core.training"],
    "lamo_core/analysis": ["lamo_core.runs", "lamo_core.sweep"],
}

LIGHT = ("lamo_core.model.shape",)
"""Modules of heavy rooms that load nothing heavy themselves."""


def imported_modules(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_no_room_imports_what_it_must_not_know(folder: str) -> None:
    paths = list((ROOT / folder).rglob("*.py"))
    assert paths
    for path in paths:
        for module in imported_modules(path):
            for forbidden in FORBIDDEN[folder]:
                known = any(f"{module}.".startswith(f"{name}.") for name in LIGHT)
                assert known or not f"{module}.".startswith(f"{forbidden}."), f"{path} imports {module}"


@pytest.mark.parametrize(
    "code",
    [
        "import lamo_tui.cli.app; from lamo_tui.cli.commands import COMMANDS, load; [load(name) for name in COMMANDS]",
        "import lamo_core.config, lamo_core.settings.presets, lamo_core.runs, lamo_core.methods",
    ],
)
def test_light_imports_stay_light(code: str) -> None:
    heavy = "torch transformers peft textual gymnasium ale_py numpy"
    check = f"import sys; bad=[m for m in {heavy.split()!r} if m in sys.modules]; print(bad); sys.exit(bool(bad))"
    done = subprocess.run([sys.executable, "-c", f"{code}; {check}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_training_and_acting_with_our_own_trunk_load_no_compiler_and_no_foreign_library(tmp_path: Path) -> None:
    few = "--set=optim.steps=2 --set=eval.every=1 --set=eval.episodes=1 --set=eval.final_episodes=0"
    child = (
        "import sys\n"
        "from lamo_tui.cli.app import main\n"
        "def run(line):\n"
        "    sys.argv = ['lamo', *line.split()]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, (line, end.code)\n"
        f"run('train --preset mujoco-reacher2d-10pct {few}')\n"
        "run('train --resume last --set=optim.steps=3')\n"
        "run('eval last --episodes 1')\n"
        "heavy = ['transformers', 'peft', 'sympy', 'torch._dynamo', 'torch.distributed.tensor']\n"
        "print('loaded:', [name for name in heavy if name in sys.modules])\n"
    )
    places = {"LAMO_RUNS": str(tmp_path / "runs"), "LAMO_CACHE": str(tmp_path / "cache"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **places}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"
