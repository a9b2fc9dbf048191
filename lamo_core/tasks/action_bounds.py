"""Bounds of continuous actions: how actions in an environment's own units become [-1, 1], and back at play.

| bounds of a number    | in the data                              | at play                     |
| --------------------- | ---------------------------------------- | --------------------------- |
| both finite, apart    | scaled from the bounds to [-1, 1]        | scaled back to the bounds    |
| both finite and equal | 0: there is nothing to choose            | the one value that there is |
| one missing, or both  | as it is, and refused beyond [-1, 1]     | as it is, clipped to [-1, 1] |

A bound is missing where it is infinite. Legend: A action dimensions, N rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ActionBounds:
    """The bounds of A numbers."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, low: Any, high: Any) -> ActionBounds:
        """Return the bounds in two arrays of one shape, flattened; raises `ValueError` where they are none."""
        lows, highs = (np.asarray(bound, np.float64).ravel() for bound in (low, high))
        if lows.shape != highs.shape or np.isnan(lows).any() or np.isnan(highs).any() or (lows > highs).any():
            raise ValueError("no bounds")
        return cls(tuple(lows.tolist()), tuple(highs.tolist()))

    @property
    def scales(self) -> bool:
        """Whether actions in these units are others than those in [-1, 1]."""
        low, high = self.finite()
        return bool((low != -1).any() or (high != 1).any())

    def same(self, other: ActionBounds) -> bool:
        """Return whether two bounds are equal but for rounding to single precision."""
        pairs = zip((self.low, self.high), (other.low, other.high), strict=True)
        return all(len(mine) == len(theirs) and np.allclose(mine, theirs) for mine, theirs in pairs)

    def to_unit(self, actions: NDArray[Any]) -> NDArray[np.float64]:
        """Return actions (N, A) in [-1, 1], those outside of their bounds beyond it."""
        values = actions.astype(np.float64)
        if not self.scales:
            return values  # exactly as they are
        low, high = self.finite()
        apart = high > low
        scaled = (values - low) / np.where(apart, high - low, 1.0) * 2 - 1
        # of equal bounds, the value itself is the middle, and another one lies outside
        unit: NDArray[np.float64] = np.where(apart, scaled, np.where(np.isclose(values, low), 0.0, np.inf))
        return unit

    def from_unit(self, actions: NDArray[Any]) -> NDArray[np.float64]:
        """Return actions (…, A) from [-1, 1] in their own units."""
        low, high = self.finite()
        units: NDArray[np.float64] = low + (actions + 1) / 2 * (high - low)
        return units

    def __str__(self) -> str:
        """Return the bounds for people: `-2 to 2`, or one pair per number where they differ."""
        pairs = [
            f"{low:g} to {high:g}" if np.isfinite(low) and np.isfinite(high) else "none"
            for low, high in zip(self.low, self.high, strict=True)
        ]
        return pairs[0] if len(set(pairs)) == 1 else ", ".join(pairs[:4]) + (", …" if len(pairs) > 4 else "")

    def finite(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bounds (A,) with -1 and 1 in the place of missing ones."""
        low, high = np.array(self.low), np.array(self.high)
        bounded = np.isfinite(low) & np.isfinite(high)
        return np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
