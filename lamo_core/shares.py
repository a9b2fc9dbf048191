"""Shares of data as people write them."""

from __future__ import annotations

from decimal import Decimal

from lamo_core.errors import UsageError


def parse_share(text: str) -> float:
    """Return the share of data that `1%` or `0.01` means; raises `UsageError`."""
    number, percent, rest = text.strip().partition("%")
    try:
        share = from_percent(number) if percent else float(number)
    except (ValueError, ArithmeticError):
        share = 0.0
    if rest.strip() or not 0 < share <= 1:
        raise UsageError(f"a share of data is above 0 and at most 100%, such as 1% or 0.01, not {text!r}")
    return share


def percent_text(share: float) -> str:
    """Return a share in percent with as few digits as lead back to it, such as `0.1` for 0.001."""
    text = f"{Decimal(repr(share)) * 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_percent(percent: str) -> float:
    """Return the number nearest to a hundredth of what is written; `float(percent) / 100` misses that of 0.7."""
    return float(Decimal(percent.strip()) / 100)
