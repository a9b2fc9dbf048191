"""Statistics of few runs: bootstrap intervals, interquartile means, chances of improvement, performance profiles.

Definitions follow Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (the
rliable library): bootstraps of several tasks are stratified, that is, runs are drawn within each task. Numbers of runs
and episodes may differ. Episodes within a run are drawn too where they are given, because the mean of few episodes is
itself uncertain. NumPy only; the same seed gives the same interval.

Shape suffixes: R runs (seeds) of one task, E episodes of one run, G tasks, B bootstrap resamples, T thresholds, N all
runs of all tasks, n values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""Reduces the last axis of an array."""

RESAMPLES = 2_000
"""Of several tasks."""
_CELLS = 4_000_000
"""Numbers drawn at once (32 MB), so that a bootstrap of many values stays small in memory."""
_PORTION = 250
"""Resamples drawn at once where they are of several sizes."""
_MOST_COPIES = 840
"""Of a run, to give tasks the same weight: enough for all mixtures of one to eight runs to be exact."""


def mean(values: FloatArray) -> FloatArray:
    """Return the mean over the last axis."""
    return np.asarray(values.mean(axis=-1))


def interquartile_mean(values: FloatArray) -> FloatArray:
    """Return the mean of the middle half over the last axis: a quarter of the values is cut from each end.

    With n values, int(n / 4) are cut per end, as `scipy.stats.trim_mean(…, 0.25)` does.
    """
    cut = values.shape[-1] // 4
    ordered = np.sort(values, axis=-1)
    return np.asarray(ordered[..., cut : values.shape[-1] - cut].mean(axis=-1))


def bootstrap_interval(
    values: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    statistic: Statistic = mean,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval (low, high) of a statistic of n independent values.

    `values` is one-dimensional and not empty (`ValueError`). One value gives an interval of width zero: there
    is nothing to resample. The same seed gives the same interval.
    """
    values_n = _one_dimensional(values)
    rng = np.random.default_rng(seed)
    parts = [statistic(_drawn(values_n, count, rng)) for count in _within(_CELLS, values_n.size, resamples)]
    return _percentiles(parts, level)


def stratified_interval(
    scores: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    statistic: Statistic = interquartile_mean,
) -> tuple[float, float]:
    """Return the stratified bootstrap interval (low, high) of a statistic over as many runs of every task.

    `scores` is (R, G): one row per seed, one column per task. It is `pooled_interval` drawn in one piece, five times as
    often; the statistic sees all R x G scores at once. Raises `ValueError` for a table without a cell.
    """
    scores_RG = np.asarray(scores, dtype=np.float64)
    if scores_RG.ndim != 2 or scores_RG.size == 0:
        raise ValueError("scores must be a table of runs x tasks with at least one cell")
    runs, tasks = scores_RG.shape
    rng = np.random.default_rng(seed)
    parts = []
    for count in _within(_CELLS, scores_RG.size, resamples):
        drawn = rng.integers(0, runs, size=(count, runs, tasks))
        resampled = scores_RG[drawn, np.arange(tasks)]
        parts.append(statistic(resampled.reshape(count, runs * tasks)))
    return _percentiles(parts, level)


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
    for count in _portions(_PORTION, resamples):
        drawn_BR = rng.integers(0, runs, size=(count, runs))
        held_BR1 = counts_R[drawn_BR][..., None]
        chosen_BRE = (rng.random((count, runs, most)) * held_BR1).astype(np.int64)
        values_BRE = np.where(places_E < held_BR1, padded_RE[drawn_BR[..., None], chosen_BRE], 0.0)
        parts.append(statistic(values_BRE.sum(-1) / held_BR1[..., 0]))
    return _percentiles(parts, level)


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
    for count in _portions(_PORTION, resamples):
        drawn = [_drawn(group, count, rng).repeat(times, axis=1) for group, times in zip(groups, copies, strict=True)]
        parts.append(statistic(np.concatenate(drawn, axis=1)))
    return _percentiles(parts, level)


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
    return _percentiles([np.mean(chances_GB, axis=0)], level)


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
    for count in _portions(_PORTION, resamples):
        shares_GBT = [(_drawn(group, count, rng)[..., None] > limits_T).mean(1) for group in groups]
        parts.append(np.mean(shares_GBT, axis=0))
    low_T, high_T = _quantiles(parts, level)
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


def _within(cells: int, width: int, resamples: int) -> Iterator[int]:
    """Yield how many resamples of `width` numbers to draw at a time, to stay within as many cells."""
    return _portions(max(1, cells // width), resamples)


def _portions(portion: int, resamples: int) -> Iterator[int]:
    for start in range(0, resamples, portion):
        yield min(portion, resamples - start)


def _percentiles(parts_B: Sequence[FloatArray], level: float) -> tuple[float, float]:
    low, high = _quantiles(parts_B, level)
    return float(low), float(high)


def _quantiles(parts_B: Sequence[FloatArray], level: float) -> FloatArray:
    """Return the two ends of the middle `level` of resamples, along their first axis."""
    tail = (1.0 - level) / 2.0
    return np.asarray(np.quantile(np.concatenate(parts_B), [tail, 1.0 - tail], axis=0))


def _one_dimensional(values: ArrayLike) -> FloatArray:
    values_n = np.asarray(values, dtype=np.float64)
    if values_n.ndim != 1 or values_n.size == 0:
        raise ValueError("a bootstrap needs at least one value")
    return values_n
