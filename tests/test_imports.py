"""The direction of imports, and what must not be loaded."""

from __future__ import annotations

import ast
import functools
import graphlib
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

LIGHT = ("lamo_core.model.sizing.shape",)
"""Modules of heavy rooms that load nothing heavy themselves."""


MOST_LOCAL = 100
"""Imports of own modules inside functions; there must be fewer."""

OPTIONAL = (
    *("mujoco", "gymnasium_robotics", "imageio_ffmpeg", "PIL", "ray", "submitit", "stable_baselines3", "gguf"),
    *("datasets", "onnx", "onnxscript", "onnxruntime", "tensorboard", "wandb", "trackio", "mlflow", "huggingface_hub"),
)
"""Packages that need not be installed, or that are slow to import and seldom used."""

LOADED = ("lamo_core.tasks.registry", "lamo_core.engine.engine", "lamo_core.player.player", "lamo_tui.dashboard.app")
"""What every training, player and dashboard loads."""

Imports = ast.Import | ast.ImportFrom


@functools.cache
def own_modules() -> dict[str, ast.Module]:
    """Return every module by its name."""
    found = {}
    for path in sorted(path for package in ("lamo_core", "lamo_tui") for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return found


def imported_names(node: Imports) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def own_targets(node: Imports, name: str) -> set[str]:
    """Return the own modules, but for `name` itself, that an import loads."""
    found = set()
    for target in imported_names(node):
        while target and target not in own_modules():
            target = target.rpartition(".")[0]
        found |= {target} - {"", name}
    return found


def imports_in(tree: ast.AST) -> list[Imports]:
    return [node for node in ast.walk(tree) if isinstance(node, Imports)]


def imports_of_own_by_name(tree: ast.AST) -> int:
    """Return how often `importlib` is given the name of an own module."""
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func)
    ]
    return sum("lamo_" in ast.unparse(call) or "_HOMES" in ast.unparse(call) for call in calls)


def test_few_functions_import_own_modules() -> None:
    counts = {}
    for name, tree in own_modules().items():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        local = {node for function in functions for node in imports_in(function) if own_targets(node, name)}
        counts[name] = len(local) + imports_of_own_by_name(tree)
    most = sorted(((count, name) for name, count in counts.items() if count), reverse=True)
    assert sum(counts.values()) < MOST_LOCAL, most


def test_no_module_is_imported_by_what_it_imports() -> None:
    """Imports inside functions and for types alone count as well; those of packages themselves do not."""
    packages = {name.rpartition(".")[0] for name in own_modules()} | {"lamo_core", "lamo_tui"}
    graph = {
        name: {target for node in imports_in(tree) for target in own_targets(node, name)} - packages
        for name, tree in own_modules().items()
        if name not in packages
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def at_the_top(body: list[ast.stmt]) -> list[Imports]:
    """Return the imports that run when a module is loaded."""
    found: list[Imports] = []
    for node in body:
        if isinstance(node, Imports):
            found.append(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            found += at_the_top([*node.body, *node.orelse])
        elif isinstance(node, ast.With | ast.Try | ast.ClassDef):
            found += at_the_top(node.body)
    return found


@pytest.mark.parametrize("root", [*LOADED, *(name for name in own_modules() if name.startswith("lamo_tui.cli."))])
def test_what_is_always_loaded_needs_no_optional_package(root: str) -> None:
    way = {root: ""}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        for node in at_the_top(own_modules()[name].body):
            for target in imported_names(node):
                assert target.split(".")[0] not in OPTIONAL, f"{name}, by way of {way[name]}, imports {target}"
            for target in own_targets(node, name) - way.keys():
                way[target] = name
                waiting.append(target)


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
    heavy = "torch transformers peft textual gymnasium ale_py numpy h5py zstandard"
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
