"""How far a comparison has come: the seeds that each method has on each task and share of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamo_core.methods import METHODS
from lamo_core.reports.cells import Cell, method_names
from lamo_core.tasks.registry import get_task


@dataclass(frozen=True)
class Coverage:
    """One task and share of data."""

    task: str
    title: str
    ratio: float
    seeds: tuple[tuple[int, ...] | None, ...]
    """Those of each method, in the order of `method_names`; None where a method cannot choose the task's actions."""


def coverage(cells: Sequence[Cell]) -> list[Coverage]:
    """Return one row per task and share, with the seeds that every method of these cells has there."""
    methods = method_names(cells)
    rows = []
    for task, ratio in sorted({cell.place for cell in cells}):
        here = {cell.method: cell for cell in cells if cell.place == (task, ratio)}
        title = next(iter(here.values())).title
        rows.append(Coverage(task, title, ratio, tuple(_seeds(task, name, here.get(name)) for name in methods)))
    return rows


def is_even(rows: Sequence[Coverage]) -> bool:
    """Return whether every method has the same seeds wherever it fits."""
    return len({seeds for row in rows for seeds in row.seeds if seeds is not None}) <= 1


def _seeds(task: str, method: str, cell: Cell | None) -> tuple[int, ...] | None:
    if cell is not None:
        return tuple(seed.seed for seed in cell.seeds)
    known = METHODS.get(method.split(" ")[0])
    return None if known is not None and get_task(task).action_kind not in known.actions else ()
