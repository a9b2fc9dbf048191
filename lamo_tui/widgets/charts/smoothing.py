"""Exponential smoothing without a bias at the beginning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST_POINTS = 8
"""Curves with fewer values are left as they are: smoothing would hide the little there is to see."""


def _decayed_sum(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Return the sum over j of weight^j times the value j places earlier, in log2 steps instead of a loop."""
    total, factor, shift = values.copy(), weight, 1
    while shift < len(total) and factor > 1e-18:
        total[shift:] += factor * total[:-shift]
        factor, shift = factor * factor, shift * 2
    return total


def ema(y: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Return the exponential moving average of `y` (N,), divided by the weight seen so far.

    `weight` in [0, 1) is what remains of the past at each value; 0 returns `y`. NaN and infinite values are
    left out and give NaN in the result. Fewer than `FEWEST_POINTS` finite values come back unchanged.
    """
    if not 0.0 <= weight < 1.0:
        raise ValueError(f"smoothing must be at least 0 and below 1, not {weight}")
    finite = np.isfinite(y)
    if weight == 0.0 or int(finite.sum()) < FEWEST_POINTS:
        return y
    above = _decayed_sum(np.where(finite, y, 0.0), weight)
    below = _decayed_sum(finite.astype(np.float64), weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(finite, above / below, np.nan)
