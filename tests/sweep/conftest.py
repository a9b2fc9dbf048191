"""A runs folder, and a plan on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamo_core.runs.index import list_runs
from lamo_core.sweep.folder import SweepFolder, new_folder
from lamo_core.sweep.grid import Grid
from lamo_core.sweep.plan import Plan, make_plan, write_plan

TRAIN = (sys.executable, str(Path(__file__).with_name("fake_train.py")))

MakeSweep = Callable[..., tuple[SweepFolder, Plan]]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs, empty; processes find the tests' own modules."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path / "runs"


@pytest.fixture
def make_sweep(root: Path) -> MakeSweep:
    def make(ablations: Sequence[str] = ("none",), seeds: Sequence[int] = (0,), **changes: Any) -> Any:
        grid = Grid((("atari-pong", (0.01,)),), ablations=tuple(ablations), seeds=tuple(seeds), **changes)
        folder = new_folder("trial", ["atari-pong"])
        plan = make_plan(folder.name, grid, list_runs())
        write_plan(folder, plan)
        return folder, plan

    return make
