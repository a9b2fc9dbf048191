"""What a chart shows: curves with their raw values and bands, and reference lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_LARGEST = 1e150
"""Values beyond are drawn at this distance, so that no difference of two overflows."""


@dataclass(frozen=True, eq=False)
class Series:
    """A curve: `x` and `y` (N,), and a letter that stands for it wherever its colour does.

    `raw` (N,) is what `y` was before smoothing, drawn dim behind it; `low` and `high` (N,) are a band around it.
    NaN and infinite values are gaps. The arrays must not be changed afterwards (views of a growing buffer are fine).
    """

    name: str
    x: FloatArray
    y: FloatArray
    colour: str
    raw: FloatArray | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None
    marker: str = "A"

    def same_as(self, other: Series) -> bool:
        """Return whether both would draw alike."""
        labels = (self.name, self.colour, self.marker) == (other.name, other.colour, other.marker)
        pairs = zip(self._arrays(), other._arrays(), strict=True)
        return labels and all(_equal(ours, theirs) for ours, theirs in pairs)

    def _arrays(self) -> tuple[FloatArray | None, ...]:
        return self.x, self.y, self.raw, self.low, self.high


@dataclass(frozen=True)
class Reference:
    """A horizontal line that values are compared with: the data's mean, a random policy, a published score."""

    name: str
    y: float
    colour: str


@dataclass(frozen=True)
class Mark:
    """A vertical line at a place on the x axis, such as the target of a run's evaluations."""

    name: str
    x: float
    colour: str


def _equal(a: FloatArray | None, b: FloatArray | None) -> bool:
    if a is None or b is None:
        return a is b
    # Bits are compared, so that NaN equals itself.
    return a is b or (
        a.shape == b.shape
        and bool(
            np.array_equal(
                np.ascontiguousarray(a, np.float64).view(np.int64), np.ascontiguousarray(b, np.float64).view(np.int64)
            )
        )
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """A series made ready for straight axes: x sorted and finite, logarithms taken, infinities turned into NaN."""

    series: Series
    x: FloatArray
    y: FloatArray
    raw: FloatArray | None
    low: FloatArray | None
    high: FloatArray | None


def _tamed(values: FloatArray, log: bool, symmetric: bool = False) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        if log and symmetric:
            values = np.copysign(np.log10(1.0 + np.abs(values)), values)
        elif log:
            values = np.log10(np.where(values > 0, values, np.nan))
        else:
            values = np.asarray(values, np.float64)
    if np.isinf(values).any():
        values = np.where(np.isinf(values), np.nan, values)
    return np.clip(values, -_LARGEST, _LARGEST)


def make_curve(series: Series, log_x: bool, log_y: bool, symmetric: bool = False) -> Curve:
    """Return `series` on straight axes; points without a finite x (or, on a log axis, a positive one) are left out.

    With `symmetric`, a log y axis goes on below 0: a value v lies at sign(v) log10(1 + |v|).
    """
    length = min(len(series.x), len(series.y))
    x = _tamed(series.x[:length], log_x)
    order: slice | NDArray[np.intp] = slice(None)
    if np.isnan(x).any():
        order = np.flatnonzero(np.isfinite(x))
    if (np.diff(x[order]) < 0).any():
        kept = np.arange(length)[order]
        order = kept[np.argsort(x[kept], kind="stable")]

    def ready(values: FloatArray | None) -> FloatArray | None:
        if values is None or len(values) < length:
            return None
        return _tamed(values[:length][order], log_y, symmetric)

    y = _tamed(series.y[:length][order], log_y, symmetric)
    return Curve(series, x[order], y, ready(series.raw), ready(series.low), ready(series.high))
