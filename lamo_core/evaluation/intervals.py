"""Intervals as they are shown: none where there was nothing to draw from.

A bootstrap of one value, or of equal ones, is a point. That says nothing of how certain the value is, so it is neither
printed nor drawn, and null in JSON. Imports no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

_ROUNDING = 1e-12
"""Relative width below which an interval is a point: means of equal values differ by as much."""


def known_interval(low: Any, high: Any) -> tuple[float, float] | None:
    """Return an interval that says something; None for a point and for ends that are no finite numbers."""
    if not (isinstance(low, int | float) and isinstance(high, int | float)):
        return None
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return (low, high) if high - low > _ROUNDING * max(abs(low), abs(high)) else None


def bracketed(low: Any, high: Any, write: Callable[[float], str], none: str = "") -> str:
    """Return an interval as ` [1.2, 3.4]`, with a space before it; `none` where there is none."""
    known = known_interval(low, high)
    return none if known is None else f" [{write(known[0])}, {write(known[1])}]"


def spanned(low: Any, high: Any, write: Callable[[float], str], unit: str = "") -> str:
    """Return an interval as `1.2 to 3.4`; a dash where there is none."""
    known = known_interval(low, high)
    return "-" if known is None else f"{write(known[0])} to {write(known[1])}{unit}"


def without_points(value: Any) -> Any:
    """Return plain values in which `low` and `high`, also as `mean_low` and `mean_high`, are None where they are no
    interval."""
    if isinstance(value, list | tuple):
        return [without_points(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: without_points(item) for key, item in value.items()}
    for name in [key for key in found if isinstance(key, str) and (key == "low" or key.endswith("_low"))]:
        other = f"{name.removesuffix('low')}high"
        ends = (found[name], found.get(other))
        # lists of bounds, such as a profile's, are no single interval
        if other in found and not any(isinstance(end, list) for end in ends) and known_interval(*ends) is None:
            found[name] = found[other] = None
    return found
