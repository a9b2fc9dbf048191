"""Returns asked for and achieved, as a run keeps them in `asked.json`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lamo_core.files import write_bytes
from lamo_core.runs.directory import ELSEWHERE, RunDirectory
from lamo_core.runs.records import decode, encode, number
from lamo_core.untrusted.regular_file import read_regular

TARGETS = 5
EPISODES = 5
"""Returns to ask for, and episodes for each, where nobody says otherwise."""
_MOST_BYTES = 1 << 20
"""Of a file that is read; a target takes about a hundred."""


@dataclass(frozen=True)
class AskedScore:
    """What one target led to."""

    target: float
    mean: float
    low: float
    high: float
    """95 % interval of the mean over episodes."""
    episodes: int


@dataclass(frozen=True)
class AskedReturns:
    """A sweep of targets that a checkpoint was asked for; lowest target first."""

    step: int
    """Of the checkpoint."""
    clipped: bool
    """Whether targets and data are in clipped rewards; what was achieved is raw at all times."""
    data_low: float
    data_mean: float
    data_high: float
    targets: tuple[float, ...]
    """What the run's own evaluations ask for."""
    rank_correlation: float | None
    scores: tuple[AskedScore, ...]


def write_asked(run: RunDirectory, found: AskedReturns) -> None:
    """Keep a sweep in the run's folder, in place of the one before; raises `StorageError`."""
    write_bytes(run.asked_file, (encode(found) + "\n").encode(), ELSEWHERE)


def read_asked(run: RunDirectory) -> AskedReturns | None:
    """Return the sweep that a run keeps; None where there is none, or one that is damaged or absurdly long."""
    try:
        values = decode(read_regular(run.asked_file, _MOST_BYTES))
        return None if values is None else parse_asked(values)
    except (OSError, ValueError):
        return None


def parse_asked(values: Mapping[str, Any]) -> AskedReturns:
    """Return the sweep that a record holds; unknown keys are passed over. Raises `ValueError`."""
    try:
        scores = tuple(
            AskedScore(
                target=_real(row["target"]),
                mean=_real(row["mean"]),
                low=_real(row["low"]),
                high=_real(row["high"]),
                episodes=int(_real(row["episodes"])),
            )
            for row in values["scores"]
        )
        if not scores:
            raise ValueError("no scores")
        correlation = values["rank_correlation"]
        return AskedReturns(
            step=int(_real(values["step"])),
            clipped=values["clipped"] is True,
            data_low=_real(values["data_low"]),
            data_mean=_real(values["data_mean"]),
            data_high=_real(values["data_high"]),
            targets=tuple(_real(target) for target in values["targets"]),
            rank_correlation=None if correlation is None else _real(correlation),
            scores=scores,
        )
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"no sweep of targets: {error}") from error


def _real(value: Any) -> float:
    found = number(value)
    if found is None:
        raise ValueError(f"{value!r} is not a number")
    return found
