"""Summaries of several runs of several tasks, where numbers of runs and episodes may differ.

After Agarwal et al. 2021 (the rliable library): bootstraps are stratified, that is, runs are drawn within each task.
Episodes within a run are drawn too where they are given, because the mean of few episodes is itself uncertain.

Shape suffixes: R runs (seeds) of one task, E episodes of one run, G tasks, B bootstrap resamples, T thresholds, N all
runs of all tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamo_core.evaluation.statistics import FloatArray, Statistic, interquartile_mean, mean

RESAMPLES = 2_000
_PORTION = 250
"""Resamples drawn at once, so that memory stays small."""
_MOST_COPIES = 840
"""Of a run, to give tasks the same weight: enough for all mixtures of one to eight runs to be exact."""


def nested_interval(
    episodes: Sequence[ArrayLike],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    statistic: Statistic = mean,
) -> tuple[float, float]:
    """Return the bootstrap interval (low, high) of a statistic of the runs' means.

    `episodes` holds the returns of each run, (E,) each. A resample draws runs, then episodes within each drawn run;
    the statistic sees the R means of the drawn episodes. With one run only episodes vary. Raises `ValueError` without
    a run or with an empty one.
    """
    padded_RE, counts_R = _padded(episodes)
    rng = np.random.default_rng(seed)
    runs, most = padded_RE.shape
    places_E = np.arange(most)
    parts = []
    for count in _portions(resamples):
        drawn_BR = rng.integers(0, runs, size=(count, runs))
        held_BR1 = counts_R[drawn_BR][..., None]
        chosen_BRE = (rng.random((count, runs, most)) * held_BR1).astype(np.int64)
        values_BRE = np.where(places_E < held_BR1, padded_RE[drawn_BR[..., None], chosen_BRE], 0.0)
        parts.append(statistic(values_BRE.sum(-1) / held_BR1[..., 0]))
    return _percentiles(np.concatenate(parts), level)


def pooled(scores: Sequence[ArrayLike], statistic: Statistic = interquartile_mean) -> float:
    """Return a statistic over all runs of all tasks, every task with the same weight however many runs it has.

    `scores` holds the runs' scores of each task, (R,) each. Where tasks have different numbers of runs, each run stands
    for several equal ones. Raises `ValueError` without a task or with an empty one.
    """
    groups = _groups(scores)
    all_N = np.concatenate([group.repeat(count) for group, count in zip(groups, _copies(groups), strict=True)])
    return float(statistic(all_N))


def pooled_interval(
    scores: Sequence[ArrayLike],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    statistic: Statistic = interquartile_mean,
) -> tuple[float, float]:
    """Return the stratified bootstrap interval of `pooled`.

    A resample draws as many runs within each task as it has. Raises `ValueError` without a task or with an empty one.
    """
    groups, rng = _groups(scores), np.random.default_rng(seed)
    copies, parts = _copies(groups), []
    for count in _portions(resamples):
        drawn = [_drawn(group, count, rng).repeat(times, axis=1) for group, times in zip(groups, copies, strict=True)]
        parts.append(statistic(np.concatenate(drawn, axis=1)))
    return _percentiles(np.concatenate(parts), level)


def improvement(ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike]) -> float:
    """Return the chance that a run of ours beats one of theirs, ties counting half, averaged over tasks.

    Both hold the runs' scores of each task, (R,) each. Per task this is the Mann-Whitney U statistic divided by the
    number of pairs.
    """
    pairs = zip(_groups(ours), _groups(theirs), strict=True)
    return float(np.mean([_wins(mine[None], other[None])[0] for mine, other in pairs]))


def improvement_interval(
    ours: Sequence[ArrayLike],
    theirs: Sequence[ArrayLike],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the stratified bootstrap interval of `improvement`; both sides are resampled within each task."""
    rng = np.random.default_rng(seed)
    chances_GB = [
        _wins(_drawn(mine, resamples, rng), _drawn(other, resamples, rng))
        for mine, other in zip(_groups(ours), _groups(theirs), strict=True)
    ]
    return _percentiles(np.mean(chances_GB, axis=0), level)


def profile(scores: Sequence[ArrayLike], thresholds_T: ArrayLike) -> FloatArray:
    """Return the share of runs that score above each threshold, (T,), every task with the same weight."""
    limits_T = np.asarray(thresholds_T, np.float64)
    return np.asarray(np.mean([(group[:, None] > limits_T).mean(0) for group in _groups(scores)], axis=0))


def profile_band(
    scores: Sequence[ArrayLike],
    thresholds_T: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Return the pointwise stratified bootstrap band (low, high) of `profile`, (T,) each."""
    limits_T, rng = np.asarray(thresholds_T, np.float64), np.random.default_rng(seed)
    groups = _groups(scores)
    parts = []
    for count in _portions(resamples):
        shares_GBT = [(_drawn(group, count, rng)[..., None] > limits_T).mean(1) for group in groups]
        parts.append(np.mean(shares_GBT, axis=0))
    tail = (1.0 - level) / 2.0
    low_T, high_T = np.quantile(np.concatenate(parts), [tail, 1.0 - tail], axis=0)
    return low_T, high_T


def _copies(groups: Sequence[FloatArray]) -> list[int]:
    """Return how often each run of a task is counted, so that tasks weigh alike."""
    common = min(_MOST_COPIES, math.lcm(*(group.size for group in groups)))
    return [max(1, round(common / group.size)) for group in groups]


def _wins(ours_BR: FloatArray, theirs_BR: FloatArray) -> FloatArray:
    left, right = ours_BR[:, :, None], theirs_BR[:, None, :]
    return np.asarray(((left > right) + 0.5 * (left == right)).mean(axis=(1, 2)))


def _drawn(group_R: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(group_R[rng.integers(0, group_R.size, size=(count, group_R.size))])


def _padded(episodes: Sequence[ArrayLike]) -> tuple[FloatArray, NDArray[np.int64]]:
    groups = _groups(episodes)
    counts = np.array([group.size for group in groups])
    padded = np.zeros((len(groups), int(counts.max())))
    for row, group in zip(padded, groups, strict=True):
        row[: group.size] = group
    return padded, counts


def _groups(scores: Sequence[ArrayLike]) -> list[FloatArray]:
    groups = [np.asarray(group, np.float64) for group in scores]
    if not groups or any(group.ndim != 1 or not group.size for group in groups):
        raise ValueError("scores must hold at least one list, and each list at least one value")
    return groups


def _portions(resamples: int) -> list[int]:
    return [min(_PORTION, resamples - start) for start in range(0, resamples, _PORTION)]


def _percentiles(statistics_B: FloatArray, level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(statistics_B, [tail, 1.0 - tail])
    return float(low), float(high)
