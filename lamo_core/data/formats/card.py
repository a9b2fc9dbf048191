"""Figures of a data card: a summary of values and a histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BINS = 16


def summary(values: NDArray[np.float64]) -> dict[str, float]:
    """Return mean, standard deviation, extremes and quantiles, rounded to 0.01; empty without values."""
    if not len(values):
        return {}
    quantiles = {f"q{int(100 * share):02d}": float(np.quantile(values, share)) for share in _QUANTILES}
    figures = {"mean": float(values.mean()), "sd": float(values.std()), "min": float(values.min())}
    return {key: round(value, 2) for key, value in {**figures, **quantiles, "max": float(values.max())}.items()}


def histogram(returns: NDArray[np.float64]) -> dict[str, list[float]]:
    """Return counts and edges of equal bins over the range of the returns."""
    counts, edges = np.histogram(returns, bins=_BINS)
    return {"counts": counts.tolist(), "edges": [round(float(edge), 2) for edge in edges]}
