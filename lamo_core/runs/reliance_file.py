"""What a run's policy makes its decisions from, as the run keeps it in `reliance.json`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamo_core.analysis.parts import EVERYTHING, PARTS, MeasuredReliance, Reliance
from lamo_core.files import write_bytes
from lamo_core.runs.directory import ELSEWHERE, RunDirectory
from lamo_core.runs.records import decode, encode, number
from lamo_core.untrusted.regular_file import read_regular

_MOST_BYTES = 1 << 16


def write_reliance(run: RunDirectory, found: MeasuredReliance) -> None:
    """Keep it in the run's folder, in place of what was there; raises `StorageError`."""
    write_bytes(run.reliance_file, (encode(found) + "\n").encode(), ELSEWHERE)


def read_reliance(run: RunDirectory) -> MeasuredReliance | None:
    """Return what a run keeps; None where there is nothing, or something that is damaged or absurdly long."""
    try:
        values = decode(read_regular(run.reliance_file, _MOST_BYTES))
        if values is None or type(values["step"]) is not int:
            return None
        return MeasuredReliance(values["step"], tuple(_row(row) for row in values["parts"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def parse_shares(values: Mapping[str, Any]) -> dict[str, float]:
    """Return shares by part; raises `ValueError` for other parts and for what is no share."""
    if not set(values) <= set(PARTS):
        raise ValueError("a part of what decides is unknown")
    return {part: _real(value) for part, value in values.items()}


def _row(values: Mapping[str, Any]) -> Reliance:
    if values["part"] not in (*PARTS, EVERYTHING):
        raise ValueError("a part is unknown")
    return Reliance(values["part"], *(_real(values[name]) for name in ("moved", "low", "high", "share")))


def _real(value: Any) -> float:
    found = number(value)
    if found is None or not 0 <= found < 1e9:
        raise ValueError("how far decisions move is not a number")
    return found
