"""Honest summaries of few runs: bootstrap intervals and the interquartile mean.

Definitions follow Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(the rliable library). NumPy only.

Shape suffixes: R runs (seeds), G games (tasks), B bootstrap resamples, n values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""Reduces the last axis of an array."""

_CELLS = 4_000_000
"""Numbers drawn at once (32 MB), so that a bootstrap of many values stays small in memory."""


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
    parts = []
    for count in _portions(resamples, values_n.size):
        drawn = rng.integers(0, values_n.size, size=(count, values_n.size))
        parts.append(statistic(values_n[drawn]))
    return _percentiles(np.concatenate(parts), level)


def stratified_interval(
    scores: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    statistic: Statistic = interquartile_mean,
) -> tuple[float, float]:
    """Return the stratified bootstrap interval (low, high) of a statistic over all runs of all games.

    `scores` is (R, G): one row per seed, one column per game. Runs are drawn with replacement within each
    game, so every game keeps its weight; the statistic sees all R x G scores at once (as rliable does).
    """
    scores_rg = np.asarray(scores, dtype=np.float64)
    if scores_rg.ndim != 2 or scores_rg.size == 0:
        raise ValueError("scores must be a table of runs x games with at least one cell")
    runs, games = scores_rg.shape
    rng = np.random.default_rng(seed)
    parts = []
    for count in _portions(resamples, scores_rg.size):
        drawn = rng.integers(0, runs, size=(count, runs, games))
        resampled = scores_rg[drawn, np.arange(games)]
        parts.append(statistic(resampled.reshape(count, runs * games)))
    return _percentiles(np.concatenate(parts), level)


def _portions(resamples: int, width: int) -> Iterator[int]:
    """Yield how many resamples to draw at a time, so that one portion stays within `_CELLS` numbers."""
    portion = max(1, _CELLS // width)
    for start in range(0, resamples, portion):
        yield min(portion, resamples - start)


def _percentiles(statistics_b: FloatArray, level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(statistics_b, [tail, 1.0 - tail])
    return float(low), float(high)


def _one_dimensional(values: ArrayLike) -> FloatArray:
    values_n = np.asarray(values, dtype=np.float64)
    if values_n.ndim != 1 or values_n.size == 0:
        raise ValueError("a bootstrap needs at least one value")
    return values_n
