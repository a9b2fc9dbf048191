"""Ticks at round numbers, and numbers written short."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_ROUND = (1.0, 2.0, 5.0, 10.0)
_CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Round steps of time, in seconds."""
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MOST_TICKS = 64


def nice_step(span: float, count: int) -> float:
    """Return the smallest of 1, 2, 5 x 10^n that cuts `span` (positive) into at most `count` parts."""
    raw = span / max(1, count)
    if not (math.isfinite(raw) and raw > 1e-300):
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next((power * step for step in _ROUND if power * step >= raw * (1 - 1e-9)), power * 10.0)


def _multiples(low: float, high: float, step: float) -> list[float]:
    if not math.isfinite(step):  # the span is so large that no rounder step exists
        return []
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first > _MOST_TICKS:
        return []
    return [number * step for number in range(first, last + 1)]


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Return at most `count` + 1 round values between `low` and `high`, in order."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or count < 1:
        return []
    return _multiples(low, high, nice_step(high - low, count))


def clock_ticks(low: float, high: float, count: int) -> list[float]:
    """Return round moments between `low` and `high` seconds: 15 s, 5 min, 2 h rather than powers of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or count < 1:
        return []
    raw = (high - low) / count
    if raw <= 1:
        return linear_ticks(low, high, count)
    step = next((float(step) for step in _CLOCK if step >= raw), 86400 * nice_step(raw / 86400, 1))
    return _multiples(low, high, step)


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Return values at decades between the exponents `low` and `high`; also at 2 and 5 where decades are rare."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or count < 1:
        return []
    decades = high - low
    if decades > count:
        return [10.0**exponent for exponent in linear_ticks(low, high, count) if abs(exponent) < 300]
    factors = (1.0, 2.0, 5.0) if decades * 3 <= count + 1 else (1.0,)
    values = [
        factor * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for factor in factors
        if low - 1e-9 <= power + math.log10(factor) <= high + 1e-9
    ]
    return values if len(values) > 1 else linear_ticks(10.0**low, 10.0**high, count)


def symlog_ticks(low: float, high: float, count: int) -> list[float]:
    """Return 0 and powers of ten of both signs between ends that are given as sign(v) log10(1 + |v|)."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or count < 1:
        return []
    reach = min(300, math.ceil(max(abs(low), abs(high))))
    step = max(1, math.ceil((high - low) / count))
    powers = [10.0**power for power in range(0, reach + 1, step)]
    values = [*(-power for power in reversed(powers)), 0.0, *powers]
    inside = [value for value in values if low <= math.copysign(math.log10(1 + abs(value)), value) <= high]
    if len(inside) > 1 or high - low > 1 or reach >= 300:
        return inside
    first, last = (math.copysign(10.0 ** abs(end) - 1, end) for end in (low, high))
    return linear_ticks(first, last, count)


def format_ticks(values: Sequence[float]) -> list[str]:
    """Write ticks with as many places as tell neighbours apart, and one unit (k, M, G) for all."""
    if not values:
        return []
    largest = max(abs(value) for value in values)
    gaps = [abs(b - a) for a, b in itertools.pairwise(values) if a != b]
    step = min(gaps, default=largest)
    if largest == 0 or largest >= 1e15 or step < 1e-6 or largest / max(step, 1e-300) > 1e9:
        return [format_value(value) for value in values]
    if max(gaps, default=0.0) > 1.5 * step:
        return [format_value(value) for value in values]
    unit, letter = next(((size, name) for size, name in _UNITS if largest >= 10 * size or step >= size), (1.0, ""))
    places = min(9, max(0, -math.floor(math.log10(step / unit) + 1e-9)))
    while places < 9 and abs(round(step / unit, places) - step / unit) > 1e-6 * step / unit:
        places += 1
    return ["0" if value == 0 else f"{value / unit:.{places}f}{letter}" for value in values]


def format_value(value: float) -> str:
    """Write one number in at most about eight characters with four significant digits; nan and inf as `–` and `∞`."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e15 or size < 1e-4:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    unit, letter = next(((unit, name) for unit, name in _UNITS if size >= 10 * unit), (1.0, ""))
    scaled = value / unit
    places = max(0, 3 - max(0, math.floor(math.log10(abs(scaled)))))
    text = f"{scaled:.{places}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + letter


def format_count(value: float) -> str:
    """Write a whole number with commas between thousands, anything else as `format_value` does."""
    if math.isfinite(value) and abs(value) < 1e12 and value == round(value):
        return f"{int(value):,}"
    return format_value(value)


def format_duration(seconds: float) -> str:
    """Write a time as its two largest parts: `45s`, `3m20s`, `2h05m`, `3d04h`."""
    if not math.isfinite(seconds):
        return format_value(seconds)
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    if size < 10 and size != round(size):
        return f"{sign}{size:.1f}s"
    whole = round(size)
    if whole < 60:
        return f"{sign}{whole}s"
    if whole < 3600:
        return f"{sign}{whole // 60}m" + (f"{whole % 60:02d}s" if whole % 60 else "")
    if whole < 86400:
        return f"{sign}{whole // 3600}h" + (f"{whole % 3600 // 60:02d}m" if whole % 3600 // 60 else "")
    return f"{sign}{whole // 86400}d" + (f"{whole % 86400 // 3600:02d}h" if whole % 86400 // 3600 else "")
