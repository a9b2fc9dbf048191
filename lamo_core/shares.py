"""Shares of data as people write them."""

from __future__ import annotations

from lamo_core.errors import UsageError


def parse_share(text: str) -> float:
    """Return the share of data that `1%` or `0.01` means; raises `UsageError`."""
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if rest.strip() or not 0 < share <= 1:
        raise UsageError(f"a share of data is above 0 and at most 100%, such as 1% or 0.01, not {text!r}")
    return share
