"""Methods over several cells at once: overall scores, chances of improvement, performance profiles, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamo_core.evaluation.statistics import (
    FloatArray,
    improvement,
    improvement_interval,
    mean,
    pooled,
    pooled_interval,
    profile,
    profile_band,
)
from lamo_core.reports.cells import Cell, method_names

PROFILE_POINTS = 101

_UNKNOWN = (float("nan"), float("nan"))

Place = tuple[str, float]
"""A task and a share of its data."""


@dataclass(frozen=True)
class Overall:
    """One method over the places of the fullest comparison."""

    method: str
    places: int
    runs: int
    mean: float
    mean_low: float
    mean_high: float
    iqm: float
    iqm_low: float
    iqm_high: float
    """Over all runs, every place with the same weight; intervals are 95 %, stratified by place, and NaN where a place
    has a single run, which has nothing to draw from."""


@dataclass(frozen=True)
class Improvement:
    """How likely a run of one method beats one of another."""

    method: str
    other: str
    places: int
    """Tasks and shares that both have."""
    chance: float
    low: float
    high: float
    """NaN where a place has a single run of either method."""


@dataclass(frozen=True)
class Profile:
    """The share of a method's runs that score above each threshold."""

    method: str
    places: int
    thresholds: tuple[float, ...]
    shares: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Curve:
    """One method on one task over shares of the data."""

    task: str
    title: str
    method: str
    points: tuple[Cell, ...]
    """Smallest share first."""


def fullest(cells: Sequence[Cell]) -> tuple[list[str], list[Place]]:
    """Return the methods and places of the fullest comparison: every method has runs at every place.

    As many methods times places as can be: a method of a few places is left out before they alone are compared. Two
    methods at least; empty when no two share a place.
    """
    methods = method_names(cells)
    have = {method: frozenset(cell.place for cell in cells if cell.method == method) for method in methods}
    choices = {one & other for one in have.values() for other in have.values()}
    if have:
        choices.add(frozenset.intersection(*have.values()))
    blocks = [([name for name in methods if places <= have[name]], sorted(places)) for places in choices if places]
    blocks = [(names, places) for names, places in blocks if len(names) > 1 or len(methods) == 1]
    return max(blocks, key=lambda block: (len(block[0]) * len(block[1]), len(block[0]), block[1]), default=([], []))


def overall(cells: Sequence[Cell]) -> list[Overall]:
    """Return every method's score over the places of the fullest comparison; empty when there is none."""
    methods, places = fullest(cells)
    rows = []
    for method in methods:
        scores = _scores(cells, method, places)
        mean_low, mean_high = pooled_interval(scores, statistic=mean) if _spread(scores) else _UNKNOWN
        iqm_low, iqm_high = pooled_interval(scores) if _spread(scores) else _UNKNOWN
        row = (pooled(scores, mean), mean_low, mean_high, pooled(scores), iqm_low, iqm_high)
        rows.append(Overall(method, len(places), sum(map(len, scores)), *row))
    return rows


def improvements(cells: Sequence[Cell], baseline: str | None = None) -> list[Improvement]:
    """Return the chance that `baseline`'s runs beat those of every other method, on the places both have.

    `baseline` None is the first method: `lamo`, where it is there.
    """
    methods = method_names(cells)
    ours = baseline or (methods[0] if methods else "")
    rows = []
    for other in methods:
        both = sorted({c.place for c in cells if c.method == ours} & {c.place for c in cells if c.method == other})
        if other == ours or not both:
            continue
        left, right = _scores(cells, ours, both), _scores(cells, other, both)
        low, high = improvement_interval(left, right) if _spread([*left, *right]) else _UNKNOWN
        rows.append(Improvement(ours, other, len(both), improvement(left, right), low, high))
    return rows


def profiles(cells: Sequence[Cell], points: int = PROFILE_POINTS) -> list[Profile]:
    """Return performance profiles of the methods and places of the fullest comparison, on common thresholds."""
    methods, places = fullest(cells)
    if not places:
        return []
    everything = np.concatenate([score for method in methods for score in _scores(cells, method, places)])
    limits = np.linspace(min(0.0, float(everything.min())), float(everything.max()), points)
    found = []
    for method in methods:
        scores = _scores(cells, method, places)
        low, high = profile_band(scores, limits)
        rows = [tuple(map(float, row)) for row in (limits, profile(scores, limits), low, high)]
        found.append(Profile(method, len(places), *rows))
    return found


def curves(cells: Sequence[Cell]) -> list[Curve]:
    """Return scores over shares of the data, for every method and task that has more than one share."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.task, cell.method), []).append(cell)
    shared = {task for (task, _), found in groups.items() if len({cell.ratio for cell in found}) > 1}
    order = method_names(cells)
    return [
        Curve(task, found[0].title, method, tuple(sorted(found, key=lambda cell: cell.ratio)))
        for (task, method), found in sorted(groups.items(), key=lambda item: (item[0][0], order.index(item[0][1])))
        if task in shared
    ]


def _spread(scores: Sequence[FloatArray]) -> bool:
    """Return whether every group has several runs to draw from."""
    return all(group.size > 1 for group in scores)


def _scores(cells: Sequence[Cell], method: str, places: Sequence[Place]) -> list[FloatArray]:
    """Return a method's final scores at each place, (R,) each; several cells of one place are joined."""
    return [
        np.concatenate([cell.finals for cell in cells if (cell.method, cell.place) == (method, place)])
        for place in places
    ]
