"""Rows of a run's metrics, one for each step: what the run holds now, and how much of it is final.

metrics.jsonl may hold steps twice, of a stretch that was killed and done again. A row is final when a resumed run can
no longer go back before it: a checkpoint lies behind it, or the run ended with one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.reader import LineTail
from lamo_core.runs.records import encode, number

_PLACES = ("step", "t", "k")
_WHOLE = frozenset({"finished", "stop", "signal"})
"""Reasons to stop that leave a checkpoint of the newest step."""


@dataclass(frozen=True)
class Row:
    """What was measured at one step."""

    step: int
    time: float
    """Seconds since 1970."""
    values: Mapping[str, float]
    """May hold NaN and infinities."""

    def encoded(self) -> bytes:
        """Return the row as bytes, to tell whether it is the same as another."""
        return encode({"step": self.step, "t": self.time, "values": dict(self.values)}).encode()


class RowTail:
    """Follows a run while it is written; `pending` are the rows that were not taken yet, oldest first."""

    def __init__(self, run: RunDirectory) -> None:
        self.pending: dict[int, Row] = {}
        self.newest = -1
        """The last step that was measured; -1 before the first."""
        self.rewound: int | None = None
        """The lowest step that the run went back to below `newest` since this was last set to None."""
        self._limit = 0.0
        self._metrics, self._events = LineTail(run.metrics_file), LineTail(run.events_file)

    def poll(self) -> None:
        """Take in everything that is new."""
        # events first: what a checkpoint makes final was measured, and written, before it
        for event in _all(self._events):
            self._note(event)
        for record in _all(self._metrics):
            self._add(record)

    def final(self) -> list[Row]:
        """Return the pending rows that are final."""
        return [row for step, row in self.pending.items() if step < self._limit]

    def take(self, rows: Iterable[Row]) -> None:
        """Let go of pending rows."""
        for row in rows:
            del self.pending[row.step]

    def _note(self, event: Mapping[str, object]) -> None:
        kind, step = event.get("event"), event.get("step")
        if type(step) is not int:
            return
        if kind == "Started" or (kind == "CheckpointSaved" and event.get("best") is False):
            self._limit = step
        elif kind == "Stopped" and event.get("reason") in _WHOLE:
            self._limit = math.inf

    def _add(self, record: Mapping[str, object]) -> None:
        step = record.get("step")
        if type(step) is not int or step < 0:
            return
        if step < self.newest or (step == self.newest and step not in self.pending):
            self.rewound = step if self.rewound is None else min(self.rewound, step)
        while self.pending and next(reversed(self.pending)) > step:
            self.pending.popitem()
        before = self.pending.get(step)
        found = {name: number(value) for name, value in record.items() if name not in _PLACES}
        values = {name: value for name, value in found.items() if value is not None}
        merged = {**(before.values if before else {}), **values}
        self.pending[step] = Row(step, number(record.get("t")) or 0.0, merged)
        self.newest = step


def digest(rows: Iterable[Row], before: str = "") -> str:
    """Return a digest of rows that follow others with the digest `before`."""
    for row in rows:
        before = hashlib.sha256(before.encode() + row.encoded()).hexdigest()
    return before


def _all(tail: LineTail) -> list[dict[str, object]]:
    found = list(tail.poll())
    while not tail.at_end:
        found += tail.poll()
    return found
