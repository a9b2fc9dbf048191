"""From a run's recorded numbers to what charts draw: curves, axes, smoothing, reference lines. No Textual here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.reports.paper import on_papers_data, paper_score
from lamo_core.runs.compare import flatten
from lamo_core.runs.metrics.series import Series as Recorded
from lamo_core.tasks.registry import get_task, task_names, versioned
from lamo_core.tasks.task import Task
from lamo_tui.csv_text import csv_text
from lamo_tui.state.snapshot import RunData
from lamo_tui.widgets.charts.series import Reference, Series
from lamo_tui.widgets.charts.smoothing import ema

FloatArray = NDArray[np.float64]
Axis = Literal["step", "time", "samples"]
AXES: tuple[Axis, ...] = ("step", "time", "samples")
AXIS_TITLES = {"step": "step", "time": "time", "samples": "windows"}

_PUBLISHED = (("LaMo", "lamo"), ("DT", "dt"))

SMOOTHING = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Shares of the past that remain at each point; 0 shows the record itself."""


@dataclass(frozen=True)
class Plot:
    """One chart of the grid."""

    name: str
    title: str
    metrics: tuple[str, ...]
    """The first one that was recorded is drawn."""
    smooth: bool = True
    band: bool = False
    """Whether `<metric>/low` and `<metric>/high` lie around it."""
    names: tuple[str, str] = ("", "")
    """Of the curve and of the one beside it, where both are drawn."""
    beside: tuple[str, ...] = ()
    """Metrics of which the first that was recorded is drawn over it as it is, where the chart is of one run, or of one
    run's seeds."""


_UNSEEN = ("loss/held-out", "loss/unseen")
PLOTS = (
    Plot("loss", "action loss", ("loss/decision", "loss"), names=("seen", "unseen"), beside=_UNSEEN),
    Plot("return", "return", ("return",), smooth=False, band=True),
    Plot("language", "language loss", ("loss/language",)),
    Plot("critic", "critic loss", ("loss/critic",)),
    Plot("normalised", "normalised score", ("normalised",), smooth=False),
    Plot("grad", "gradient norm", ("grad_norm",)),
    Plot("lr", "learning rate", ("lr",), smooth=False),
)


def plot(name: str) -> Plot:
    """Return the plot of a name."""
    return next(plot for plot in PLOTS if plot.name == name)


def beside(wanted: Plot) -> Plot:
    """Return what is drawn over a plot's curve, as a plot of its own."""
    return Plot(wanted.name, wanted.title, wanted.beside, smooth=False)


def metric_of(wanted: Plot, data: RunData) -> str | None:
    """Return the metric that a plot draws of a run; None when the run has not recorded it."""
    return next((metric for metric in wanted.metrics if metric in data.series and len(data.series[metric])), None)


def plots_of(data: RunData | None) -> list[Plot]:
    """Return the plots that a run can have, in the order of the grid; the basic ones even before their first point."""
    found = [wanted for wanted in PLOTS if data is not None and metric_of(wanted, data)]
    basic = [wanted for wanted in PLOTS if wanted.name in ("loss", "return", "normalised")]
    return [wanted for wanted in PLOTS if wanted in found or wanted in basic]


def curve(
    data: RunData, wanted: Plot, *, axis: Axis, smoothing: float, name: str, colour: str, marker: str
) -> Series | None:
    """Return one curve of a run; None when there is nothing to draw."""
    metric = metric_of(wanted, data)
    if metric is None:
        return None
    recorded = data.series[metric]
    x, y = abscissa(data, recorded, axis), recorded.value
    smooth = ema(y, smoothing) if wanted.smooth and smoothing > 0 else y
    low, high = (_aligned(data, f"{metric}/{end}", recorded) if wanted.band else None for end in ("low", "high"))
    return Series(name, x, smooth, colour, y if smooth is not y else None, low, high, marker)


def mean_curve(
    runs: Sequence[RunData], wanted: Plot, *, axis: Axis, smoothing: float, name: str, colour: str, marker: str
) -> Series | None:
    """Return the mean of several runs' curves, with a band from the lowest to the highest.

    Each is smoothed by itself. Where not all of them have recorded anything yet, the mean of those that have is `raw`,
    which is drawn dim, and `y` is NaN: what stands for the whole never jumps when one of them ends.
    """
    curves = [
        found
        for data in runs
        for found in [curve(data, wanted, axis=axis, smoothing=smoothing, name=name, colour=colour, marker=marker)]
        if found is not None
    ]
    if len(curves) < 2:
        return curves[0] if curves else None
    places = np.unique(np.concatenate([one.x for one in curves]))
    values = np.stack([np.interp(places, one.x, one.y, left=np.nan, right=np.nan) for one in curves])
    counts = (~np.isnan(values)).sum(0)
    several = counts > 1
    low, high = np.full(len(places), np.nan), np.full(len(places), np.nan)
    low[several], high[several] = np.nanmin(values[:, several], 0), np.nanmax(values[:, several], 0)
    mean = np.where(counts > 0, np.nansum(values, 0) / np.maximum(1, counts), np.nan)
    whole = counts == len(curves)
    # one place of the whole on each side, so that both parts join
    behind = whole & np.append(whole[1:], True) & np.insert(whole[:-1], 0, True)
    fewer = None if whole.all() else np.where(behind, np.nan, mean)
    return Series(name, places, np.where(whole, mean, np.nan), colour, fewer, low, high, marker)


def abscissa(data: RunData, recorded: Recorded, axis: Axis) -> FloatArray:
    """Return where the points lie on an axis: optimiser steps, seconds since the first record, or windows seen."""
    if axis == "time":
        return recorded.time - _begin(data)
    if axis == "samples" and "samples" in data.series:
        samples = data.series["samples"]
        return np.interp(recorded.step, samples.step, samples.value)
    return recorded.step.astype(np.float64)


def _begin(data: RunData) -> float:
    times = [float(series.time[0]) for series in data.series.values() if len(series)]
    return min(times, default=0.0)


def _aligned(data: RunData, metric: str, recorded: Recorded) -> FloatArray | None:
    bound = data.series.get(metric)
    if bound is None or len(bound) != len(recorded):
        return None
    return bound.value


def started_event(data: RunData) -> Mapping[str, Any]:
    """Return the newest `Started` record; empty before the first."""
    return next((event for event in reversed(data.events) if event.get("event") == "Started"), {})


def task_name(data: RunData) -> str:
    """Return the name of the run's task; empty when it is not known."""
    return str(flatten(data.info.get("config", {})).get("task.name", ""))


def task_of(data: RunData) -> Task | None:
    """Return the run's task in its version; None when this version of lamo does not know it."""
    if task_name(data) not in task_names():
        return None
    return get_task(versioned(task_name(data), str(flatten(data.info.get("config", {})).get("task.version"))))


def references(data: RunData, wanted: Plot, colours: tuple[str, str, str]) -> list[Reference]:
    """Return the lines to compare with: data mean, random play, target; `colours` in this order.

    A loss is compared with that of a guess that is always the same. The data's mean is left out when the run was
    trained on clipped rewards, because scores are raw returns.
    """
    task, started = task_of(data), started_event(data)
    constant = data.series.get("loss/constant")
    if wanted.name == "loss" and constant is not None and len(constant):
        return [Reference("constant guess", float(constant.value[-1]), colours[1])]
    if task is None or wanted.name not in ("return", "normalised"):
        return []
    scale = task.normalised if wanted.name == "normalised" else float
    raw = flatten(data.info.get("config", {})).get("data.rewards") != "clipped"
    lines = [Reference("random", scale(task.random_score), colours[1])]
    mean, targets = started.get("data_return_mean"), started.get("targets")
    if raw and isinstance(mean, int | float):
        lines.append(Reference("data mean", scale(float(mean)), colours[0]))
    if raw and isinstance(targets, list) and targets and isinstance(targets[0], int | float):
        lines.append(Reference("target", scale(float(max(targets))), colours[2]))
    lines += _published(data, task, colours[1]) if wanted.name == "normalised" else []
    return [line for line in lines if math.isfinite(line.y)]  # a task may have no scale


def _published(data: RunData, task: Task, colour: str) -> list[Reference]:
    """Return the paper's scores for LaMo and Decision Transformer at this task and share of the data."""
    settings = flatten(data.info.get("config", {}))
    ratio = settings.get("data.ratio")
    if not isinstance(ratio, int | float):
        return []
    same = on_papers_data(task.name, str(settings.get("data.source")), str(settings.get("data.set")))
    note = "" if same else ", other data"
    scores = [(label, paper_score(task.name, float(ratio), method)) for label, method in _PUBLISHED]
    return [Reference(f"paper's {label}{note}", score.mean, colour) for label, score in scores if score is not None]


def phase_shares(data: RunData, steps: int = 200) -> list[tuple[str, float, float]]:
    """Return (phase, seconds per step, share) over the newest steps, in the order in which they were recorded."""
    found: list[tuple[str, float]] = []
    for name, series in data.series.items():
        if name.startswith("time/") and name != "time/eval" and len(series):
            found.append((name.removeprefix("time/"), float(np.nanmean(series.value[-steps:]))))
    total = sum(seconds for _, seconds in found)
    return [(name, seconds, seconds / total if total > 0 else 0.0) for name, seconds in found]


def evaluation_seconds(data: RunData) -> tuple[int, float]:
    """Return how many evaluations there were and the seconds they took in all."""
    series = data.series.get("time/eval")
    return (len(series), float(np.nansum(series.value))) if series is not None else (0, 0.0)


def to_csv(recorded: Mapping[str, Recorded]) -> str:
    """Return recorded numbers as CSV: metric, step, seconds since 1970, value."""
    rows = [
        (name, step, f"{time:.3f}", repr(value))
        for name, series in recorded.items()
        for step, time, value in zip(series.step.tolist(), series.time.tolist(), series.value.tolist(), strict=True)
    ]
    return csv_text(("metric", "step", "time", "value"), rows)
