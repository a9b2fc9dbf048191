"""Methods compared seed by seed: runs with the same seed are trained on the same episodes.

How good the few episodes of a seed are moves all methods alike and makes most of the spread between seeds, so that the
differences within seeds say more than the scores do. Shares of one task's data are nested and a seed's differences on
them hang together; they count as one difference, their mean.

Shape suffixes: S seeds of one task, B bootstrap resamples, G tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamo_core.evaluation.statistics import RESAMPLES, FloatArray
from lamo_core.reports.cells import Cell, SeedScores, method_names

_LEAST = 2
"""Seeds of every task that an interval needs."""


@dataclass(frozen=True)
class Difference:
    """How much more one method scores than another with the same seeds."""

    method: str
    other: str
    tasks: int
    pairs: int
    """Runs with the same task, share, seed and episodes on both sides."""
    unlike: int
    """Runs with the same task, share and seed that saw other episodes, or maybe did; they are left out."""
    better: int
    """Pairs in which the first method scores higher."""
    mean: float
    """Normalised; every task with the same weight."""
    low: float
    high: float
    """95 % bootstrap interval over the seeds of each task; NaN where a task has a single seed."""


def differences(cells: Sequence[Cell], baseline: str | None = None) -> list[Difference]:
    """Return how `baseline` compares with every other method, seed by seed; None is the first method."""
    methods = method_names(cells)
    ours = baseline or (methods[0] if methods else "")
    return [found for other in methods if other != ours and (found := _difference(cells, ours, other))]


def _difference(cells: Sequence[Cell], ours: str, other: str) -> Difference | None:
    left, right = _runs(cells, ours), _runs(cells, other)
    shared = sorted(set(left) & set(right))
    alike = [key for key in shared if same_data(left[key], right[key])]
    if not alike:
        return None
    gaps: dict[str, dict[int, list[float]]] = {}
    for task, ratio, seed in alike:
        gap = left[task, ratio, seed].final - right[task, ratio, seed].final
        gaps.setdefault(task, {}).setdefault(seed, []).append(gap)
    groups = [np.array([np.mean(found) for found in seeds.values()]) for seeds in gaps.values()]
    low, high = interval_of_means(groups)
    flat = [gap for seeds in gaps.values() for found in seeds.values() for gap in found]
    return Difference(
        method=ours,
        other=other,
        tasks=len(groups),
        pairs=len(alike),
        unlike=len(shared) - len(alike),
        better=sum(gap > 0 for gap in flat),
        mean=float(np.mean([group_S.mean() for group_S in groups])),
        low=low,
        high=high,
    )


def interval_of_means(groups: Sequence[FloatArray]) -> tuple[float, float]:
    """Return the stratified percentile bootstrap interval of the mean of the tasks' means.

    Resampled means of S values vary by (S - 1) / S too little, which is much for few seeds; they are spread by that.
    """
    if min(group_S.size for group_S in groups) < _LEAST:
        return float("nan"), float("nan")
    rng = np.random.default_rng(0)
    means_GB = []
    for group_S in groups:
        seeds, middle = group_S.size, group_S.mean()
        drawn_B = group_S[rng.integers(0, seeds, size=(RESAMPLES, seeds))].mean(1)
        means_GB.append(middle + (drawn_B - middle) * np.sqrt(seeds / (seeds - 1)))
    low, high = np.quantile(np.mean(means_GB, axis=0), [0.025, 0.975])
    return float(low), float(high)


def _runs(cells: Sequence[Cell], method: str) -> dict[tuple[str, float, int], SeedScores]:
    return {(cell.task, cell.ratio, seed.seed): seed for cell in cells if cell.method == method for seed in cell.seeds}


def same_data(one: SeedScores, two: SeedScores) -> bool:
    """Return whether two runs saw the same episodes; those that recorded no digest tell by size and mean return."""
    if one.data_digest and two.data_digest:
        return one.data_digest == two.data_digest
    return one.data_facts == two.data_facts
