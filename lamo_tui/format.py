"""Formatting of sizes, durations, counts and rates for people."""

from __future__ import annotations

import time

from lamo_core.wording import counted as counted


def file_size(count: int) -> str:
    """Return bytes for people."""
    if count >= 100_000_000:
        return f"{count / 1e9:,.2f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def duration(seconds: float | None) -> str:
    """Return seconds for people: `48s`, `3m 12s`, `2h 05m`, `3d 04h`; a dash for None."""
    if seconds is None or seconds != seconds or seconds in (float("inf"), float("-inf")):
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def rate(per_second: float | None) -> str:
    """Return a rate for people: three digits, a dash for None."""
    return "-" if per_second is None else f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def clock_time(moment: float, form: str) -> str:
    """Return a moment, in seconds since 1970, on this machine's clock; a question mark for what is on no clock."""
    try:
        return time.strftime(form, time.localtime(moment))
    except (OverflowError, ValueError, OSError):
        return "?"


def known(value: float, digits: str) -> str:
    """Return a number in the format `digits`, such as `.1f`; a dash for NaN, where nothing is known."""
    return "-" if value != value else format(value, digits)
