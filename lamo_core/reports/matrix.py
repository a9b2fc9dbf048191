"""Runs as a table: two settings span it, and each cell holds the runs that have both values."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lamo_core.config import unknown_key
from lamo_core.evaluation.intervals import known_interval
from lamo_core.evaluation.statistics import bootstrap_interval
from lamo_core.methods import METHODS
from lamo_core.runs.index import RunSummary
from lamo_core.runs.labels import NONE
from lamo_core.settings.preset_parts import find_task, named_ratios, preset_tasks
from lamo_core.settings.presets import preset_names

_VALUES: dict[str, Callable[[RunSummary], str]] = {
    "task": lambda run: str(run.settings.get("task.name")),
    "ratio": lambda run: shown_ratio(float(run.settings.get("data.ratio", 1.0))),
    "method": lambda run: run.label.method,
    "ablation": lambda run: run.label.ablation,
    "backbone": lambda run: str(run.settings.get("model.backbone")),
    "seed": lambda run: str(run.settings.get("seed")),
}
AXES: tuple[str, ...] = tuple(_VALUES)
"""What can span a matrix."""


@dataclass(frozen=True)
class MatrixCell:
    """The runs of one cell; scores are normalised, of the evaluation that counts for each (`runs.evaluations`)."""

    runs: tuple[str, ...]
    """Ids of all runs of the cell, newest first."""
    finished: int
    working: int
    waiting: int
    mean: float | None
    """Mean over the seeds with a final evaluation; of the newest of those under way while none has one."""
    low: float | None
    high: float | None
    """95 % bootstrap interval over seeds; None for fewer than two, and for equal ones."""
    seeds: int
    """Runs behind the mean, one per seed and setting: the newest."""
    mixed: tuple[str, ...] = ()
    """Axes on which those runs differ, other than the seed, or `setting` and `length` (steps) where they do elsewhere:
    then the mean is of several experiments."""
    changed: tuple[str, ...] = ()
    """Settings that were set by hand in some of those runs, or changed later: no axis tells of them."""


@dataclass(frozen=True)
class Matrix:
    """A table of cells; those without a run are missing."""

    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], MatrixCell]
    where: Mapping[str, str]
    """What all runs of the table have in common by choice, such as one task."""


def make_matrix(
    runs: Iterable[RunSummary],
    rows: str = "ablation",
    columns: str = "ratio",
    where: Mapping[str, str] | None = None,
    *,
    possible: bool = False,
) -> Matrix:
    """Return the matrix of some runs, newest first; `where` keeps those with these values, such as one task.

    `possible` also has rows and columns that no run fills yet: every ablation, every method, every share of data that
    the task's presets name. Raises `UsageError` for an axis that does not exist.
    """
    for axis in (rows, columns):
        if axis not in AXES:
            raise unknown_key(axis, list(AXES), "axis of a matrix")
    kept = fitting(runs, where or {})
    groups: dict[tuple[str, str], list[RunSummary]] = {}
    for run in kept:
        groups.setdefault((_VALUES[rows](run), _VALUES[columns](run)), []).append(run)
    names = [
        _ordered(axis, {key[place] for key in groups} | (_known(axis, where or {}) if possible else set()))
        for place, axis in enumerate((rows, columns))
    ]
    cells = {key: _cell(found) for key, found in groups.items()}
    return Matrix(rows, columns, tuple(names[0]), tuple(names[1]), cells, dict(where or {}))


def fitting(runs: Iterable[RunSummary], where: Mapping[str, str]) -> list[RunSummary]:
    """Return the runs that have these values on these axes; raises `UsageError` for an axis that does not exist."""
    for axis in where:
        if axis not in _VALUES:
            raise unknown_key(axis, list(_VALUES), "axis of a matrix")
    return [run for run in runs if all(_VALUES[axis](run) == value for axis, value in where.items())]


def held(runs: Sequence[RunSummary], axes: Sequence[str], where: Mapping[str, str]) -> dict[str, str]:
    """Return `where` with what else must be held so that no cell mixes tasks, methods or ablations.

    The task with the most runs; `lamo` and no ablation where runs have them, else what most of them have.
    """
    chosen = dict(where)
    for axis, plain in (("task", ""), ("method", "lamo"), ("ablation", NONE)):
        if axis in (*axes, *chosen) or (axis == "ablation" and "backbone" in axes):  # overlays change the backbone
            continue
        counts = Counter(_VALUES[axis](run) for run in fitting(runs, chosen))
        if counts:
            chosen[axis] = plain if plain in counts else counts.most_common(1)[0][0]
    return chosen


def axis_values(runs: Iterable[RunSummary], axis: str, *, possible: bool = False) -> list[str]:
    """Return the values that runs have on an axis, in order; `possible` adds those of presets and overlays."""
    return _ordered(axis, {_VALUES[axis](run) for run in runs} | (_known(axis, {}) if possible else set()))


def shown_ratio(ratio: float) -> str:
    """Return a share of data as an axis names it, such as `0.5%`."""
    return f"{100 * ratio:g}%"


def _cell(found: Sequence[RunSummary]) -> MatrixCell:
    done = [run for run in found if run.status.final is not None]
    under_way = [run for run in found if run.derived.active and run.status.evaluations]
    newest: dict[tuple[str, ...], RunSummary] = {}
    for run in done or under_way:
        newest.setdefault((*(value(run) for value in _VALUES.values()), _steps(run), *run.experiment), run)
    counting = [run.status.standing.counting for run in newest.values()]
    values = [point.normalised for point in counting if point is not None]
    interval = known_interval(*bootstrap_interval(values, resamples=1000)) if len(values) > 1 else None
    low, high = interval or (None, None)
    return MatrixCell(
        runs=tuple(run.id for run in found),
        finished=sum(run.state == "finished" for run in found),
        working=sum(run.state in ("running", "stalled", "paused") for run in found),
        waiting=sum(run.state == "queued" for run in found),
        mean=sum(values) / len(values) if values else None,
        low=low,
        high=high,
        seeds=len(values),
        mixed=_differing(tuple(newest.values())),
        changed=tuple(dict.fromkeys(change for run in newest.values() for change in run.label.changed)),
    )


def _differing(runs: Sequence[RunSummary]) -> tuple[str, ...]:
    """Return in what the runs behind one mean differ, other than their seeds."""
    axes = [name for name, value in _VALUES.items() if name != "seed" and len({value(run) for run in runs}) > 1]
    if {"method", "ablation"} & set(axes) and "backbone" in axes:  # which say as much
        axes.remove("backbone")
    if not axes and len({run.experiment for run in runs}) > 1:
        axes.append("setting")
    return (*axes, *(["length"] if len({_steps(run) for run in runs}) > 1 else []))


def _steps(run: RunSummary) -> str:
    """Return the steps behind a run's score, or of one under way those that it is to do."""
    return str(run.status.total if run.status.final is None else run.status.final.step)


def _known(axis: str, where: Mapping[str, str]) -> set[str]:
    if axis == "ablation":
        return {NONE, *_overlays("ablations")}
    if axis == "method":
        return set(METHODS)
    if axis == "task":
        return set(preset_tasks())
    if axis == "ratio":
        tasks = [find_task(where["task"])] if where.get("task") in preset_tasks() else preset_tasks()
        return {shown_ratio(ratio) for ratio in named_ratios(tasks)}
    return set()


@functools.cache
def _overlays(kind: str) -> tuple[str, ...]:
    """Return the names of overlays; their files are read once, not every second."""
    return tuple(preset_names(kind))


def _ordered(axis: str, values: set[str]) -> list[str]:
    if axis == "ratio":
        return sorted(values, key=lambda value: float(value.removesuffix("%")))
    if axis == "seed":
        return sorted(values, key=lambda value: (not value.isdecimal(), int(value) if value.isdecimal() else 0, value))
    return sorted(values, key=lambda value: (value not in (NONE, "lamo"), value))
