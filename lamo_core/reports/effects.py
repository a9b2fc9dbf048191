"""Main effects and interactions of LaMo's parts, seed by seed: what a level changes, all else being equal.

Shape suffixes: S seeds of one task.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lamo_core.evaluation.metrics import UNSEEN_LOSS
from lamo_core.evaluation.statistics import FloatArray
from lamo_core.reports.cells import Cell, SeedScores
from lamo_core.reports.factors import BASES
from lamo_core.reports.paired import interval_of_means, same_data

Outcome = Literal["score", "loss"]
_LEVEL, _POWER = 1.959964, 0.841621
"""Quantiles of the normal distribution: a difference is to be seen in 80 % of studies, at the 5 % level, two-sided."""

Levels = tuple[str, ...]
_Runs = Mapping[Levels, Mapping[int, SeedScores]]
"""Runs by the levels of all factors and the seed: of one task, share, and all other settings."""


@dataclass(frozen=True)
class Effect:
    """What a level of a factor, or two levels together, change."""

    outcome: Outcome
    """`score` in normalised points; `loss` on unseen episodes, as a relative change."""
    factor: str
    level: str
    """Of an interaction `a x b` both."""
    base: str
    tasks: int
    seeds: int
    """Fewest seeds of a task."""
    pairs: int
    change: float
    low: float
    high: float
    """95 % bootstrap interval over seeds; NaN with one."""
    detectable: float
    """The smallest true change that so many seeds show in 80 % of studies; NaN with one seed."""


def effects(cells: Sequence[Cell]) -> list[Effect]:
    """Return the main effects of all factors that vary, then their interactions, on scores and on losses."""
    tables = list(_tables(cells))
    names = [name for name in BASES if len({levels[_place(name)] for _, runs in tables for levels in runs}) > 1]
    found: list[Effect | None] = []
    for outcome in ("score", "loss"):
        for name in names:
            found += [_main(tables, name, level, outcome) for level in _others(tables, name)]
        for one, two in itertools.combinations(names, 2):
            pairs = itertools.product(_others(tables, one), _others(tables, two))
            found += [_interaction(tables, (one, a), (two, b), outcome) for a, b in pairs]
    return [effect for effect in found if effect is not None]


def _tables(cells: Sequence[Cell]) -> Iterator[tuple[str, _Runs]]:
    """Yield tasks with their runs that differ in factors alone."""
    groups: dict[tuple[str, float, str, int], dict[Levels, dict[int, SeedScores]]] = {}
    for cell in cells:
        if cell.factors:
            runs = groups.setdefault((*cell.place, cell.others, cell.steps), {})
            levels = tuple(cell.factors[name] for name in BASES)
            runs.setdefault(levels, {}).update({seed.seed: seed for seed in cell.seeds})
    for (task, *_), runs in groups.items():
        yield task, runs


def _place(name: str) -> int:
    return list(BASES).index(name)


def _others(tables: Sequence[tuple[str, _Runs]], name: str) -> list[str]:
    """Return the levels of a factor but its base."""
    return sorted({levels[_place(name)] for _, runs in tables for levels in runs} - {BASES[name]})


def _main(tables: Sequence[tuple[str, _Runs]], name: str, level: str, outcome: Outcome) -> Effect | None:
    gaps: dict[str, dict[int, list[float]]] = {}
    for task, runs in tables:
        for levels in runs:
            if levels[_place(name)] == level:
                _note(
                    gaps.setdefault(task, {}),
                    [(1, runs[levels]), (-1, _at(runs, levels, {name: BASES[name]}))],
                    outcome,
                )
    return _effect(gaps, name, level, BASES[name], outcome)


def _interaction(
    tables: Sequence[tuple[str, _Runs]], one: tuple[str, str], two: tuple[str, str], outcome: Outcome
) -> Effect | None:
    """Return how much more the first level changes where the second one holds."""
    gaps: dict[str, dict[int, list[float]]] = {}
    bases = {one[0]: BASES[one[0]]}, {two[0]: BASES[two[0]]}
    for task, runs in tables:
        for levels in runs:
            if levels[_place(one[0])] == one[1] and levels[_place(two[0])] == two[1]:
                corners = [(-1, _at(runs, levels, base)) for base in bases]
                _note(
                    gaps.setdefault(task, {}),
                    [(1, runs[levels]), *corners, (1, _at(runs, levels, bases[0] | bases[1]))],
                    outcome,
                )
    base = f"{BASES[one[0]]} x {BASES[two[0]]}"
    return _effect(gaps, f"{one[0]} x {two[0]}", f"{one[1]} x {two[1]}", base, outcome)


def _at(runs: _Runs, levels: Levels, changed: Mapping[str, str]) -> Mapping[int, SeedScores]:
    """Return the runs with other levels of some factors; none where there are none."""
    return runs.get(tuple(changed.get(name, level) for name, level in zip(BASES, levels, strict=True)), {})


def _note(
    gaps: dict[int, list[float]], corners: Sequence[tuple[int, Mapping[int, SeedScores]]], outcome: Outcome
) -> None:
    """Add the signed sum over corners of every seed that all of them have, on the same episodes."""
    first = corners[0][1]
    for seed in set.intersection(*(set(runs) for _, runs in corners)):
        if all(same_data(first[seed], runs[seed]) for _, runs in corners):
            values = [(sign, _outcome(runs[seed], outcome)) for sign, runs in corners]
            if all(value == value for _, value in values):
                gaps.setdefault(seed, []).append(sum(sign * value for sign, value in values))


def _outcome(scores: SeedScores, outcome: Outcome) -> float:
    """Return the score, or the logarithm of the loss; NaN where that was not measured."""
    if outcome == "score":
        return scores.final
    loss = scores.metrics.get(UNSEEN_LOSS, 0.0)
    return math.log(loss) if loss > 0 else float("nan")


def _effect(
    gaps: Mapping[str, Mapping[int, Sequence[float]]], factor: str, level: str, base: str, outcome: Outcome
) -> Effect | None:
    groups = [np.array([np.mean(found) for found in seeds.values()]) for seeds in gaps.values() if seeds]
    if not groups:
        return None
    told = math.expm1 if outcome == "loss" else float
    low, high = interval_of_means(groups)
    return Effect(
        outcome=outcome,
        factor=factor,
        level=level,
        base=base,
        tasks=len(groups),
        seeds=min(group_S.size for group_S in groups),
        pairs=sum(len(found) for seeds in gaps.values() for found in seeds.values()),
        change=told(float(np.mean([group_S.mean() for group_S in groups]))),
        low=told(low),
        high=told(high),
        detectable=told(_detectable(groups)),
    )


def _detectable(groups: Sequence[FloatArray]) -> float:
    """Return the smallest true difference that would be seen; NaN where a task has one seed."""
    freedom = sum(group_S.size - 1 for group_S in groups)
    return (_student(_LEVEL, freedom) + _student(_POWER, freedom)) * _standard_error(groups) if freedom else math.nan


def _student(z: float, freedom: int) -> float:
    """Return the quantile of Student's t that is `z` of the normal one, within 3 % (Abramowitz & Stegun 26.7.5)."""
    third, fifth, seventh = z * z * z, z * z * z * z * z, z * z * z * z * z * z * z
    one = (third + z) / 4
    two = (5 * fifth + 16 * third + 3 * z) / 96
    three = (3 * seventh + 19 * fifth + 17 * third - 15 * z) / 384
    return z + one / freedom + two / freedom**2 + three / freedom**3


def _standard_error(groups: Sequence[FloatArray]) -> float:
    """Return that of the mean of the tasks' means; NaN where a task has one seed."""
    if min(group_S.size for group_S in groups) < 2:
        return float("nan")
    return math.sqrt(sum(float(group_S.var(ddof=1)) / group_S.size for group_S in groups)) / len(groups)
