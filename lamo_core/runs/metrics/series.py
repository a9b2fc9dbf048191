"""Series of a run's metrics as arrays, read while they are written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.runs.reader import LineTail
from lamo_core.runs.records import number

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MOST_METRICS = 1_000
"""Different ones; each takes memory of its own."""
_HELD = 60_000
"""Points of a metric beyond which older ones are dropped where a chart is all that they are for."""
_PLACES = ("step", "t", "k")
"""Keys that say where a record belongs; all others are metrics."""


@dataclass(frozen=True)
class Series:
    """One metric: as many steps as times and values, steps strictly rising. The arrays are read-only views."""

    step: IntArray
    time: FloatArray
    """Seconds since 1970."""
    value: FloatArray
    """May hold NaN and infinities, as they were recorded."""

    def __len__(self) -> int:
        return len(self.step)


class _Column:
    """A growing series: arrays with room at their end."""

    def __init__(self) -> None:
        self.size = 0
        self._step = np.empty(64, np.int64)
        self._time = np.empty(64, np.float64)
        self._value = np.empty(64, np.float64)

    def extend(self, step: IntArray, time: FloatArray, value: FloatArray) -> None:
        end = self.size + len(step)
        if end > len(self._step):
            room = max(end, 2 * len(self._step))
            self._step, self._time, self._value = (
                np.concatenate([old[: self.size], np.empty(room - self.size, old.dtype)])
                for old in (self._step, self._time, self._value)
            )
        self._step[self.size : end] = step
        self._time[self.size : end] = time
        self._value[self.size : end] = value
        self.size = end

    def cut(self, step: int, *, keep: bool) -> bool:
        """Drop points after `step`, and the one at it unless `keep`; returns whether any was there."""
        end = int(np.searchsorted(self._step[: self.size], step, side="right" if keep else "left"))
        if end == self.size:
            return False
        # views that were handed out keep the old arrays, and so their values
        self._step, self._time, self._value = self._step.copy(), self._time.copy(), self._value.copy()
        self.size = end
        return True

    def thin(self) -> bool:
        """Drop older points until a third of the most that are held remain; returns whether there were too many."""
        if self.size <= _HELD:
            return False
        newest, zeros = self.size - _HELD // 3, 0
        kept = np.arange(self.size)
        while len(kept) > _HELD * 2 // 3:
            zeros += 1
            kept = np.flatnonzero((self._step[: self.size] % 10**zeros == 0) | (np.arange(self.size) >= newest))
        self._step, self._time, self._value = self._step[kept], self._time[kept], self._value[kept]
        self.size = len(kept)
        return True

    @property
    def last(self) -> int:
        return int(self._step[self.size - 1]) if self.size else -1

    def view(self) -> Series:
        arrays = [array[: self.size] for array in (self._step, self._time, self._value)]
        for array in arrays:
            array.flags.writeable = False
        return Series(arrays[0], arrays[1], arrays[2])  # type: ignore[arg-type]


class MetricsTail:
    """The metrics of a run as growing arrays.

    A record at step s says that the run is at s. A run that was resumed from an older checkpoint therefore goes
    back: points after s are dropped, those at s are replaced, and steps always rise within a series.
    """

    def __init__(self, path: Path, *, thin: bool = False) -> None:
        """`thin` is for charts: of a million steps it holds tens of thousands, the newest and some of the others."""
        self._tail, self._thin = LineTail(path, thin=thin), thin
        self.thinned = False
        """Whether points are missing."""
        self._columns: dict[str, _Column] = {}
        self._last = -1

    @property
    def names(self) -> list[str]:
        """All metrics that were seen, in the order of their first appearance."""
        return list(self._columns)

    @property
    def last_step(self) -> int:
        """The newest step; -1 before the first record."""
        return self._last

    def series(self, name: str) -> Series:
        """Return a metric's points; none when it was never recorded. A later `poll` does not change them."""
        return self._columns[name].view() if name in self._columns else _Column().view()

    @property
    def at_end(self) -> bool:
        """Whether the last `poll` saw everything that was there."""
        return self._tail.at_end

    def poll(self) -> set[str]:
        """Take in about 4 MB of what is new and return the names of changed metrics; see `at_end`."""
        records = self._tail.poll()
        changed: set[str] = set()
        if self._tail.restarted:
            changed |= set(self._columns)
            self._columns.clear()
            self._last, self.thinned = -1, False
        usable = [record for record in records if _is_step(record.get("step"))]
        for _, group in itertools.groupby(usable, key=tuple):
            changed |= self._take(list(group))
        dropped = self._thin and any([column.thin() for column in self._columns.values()])
        self.thinned = self.thinned or self._tail.thinned or dropped
        return changed

    def poll_all(self) -> set[str]:
        """Take in everything that is new and return the names of changed metrics."""
        changed = self.poll()
        while not self.at_end:
            changed |= self.poll()
        return changed

    def _take(self, records: list[dict[str, Any]]) -> set[str]:
        """Add records that all have the same keys."""
        steps = np.array([record["step"] for record in records], np.int64)
        # where a step does not lie after the one before, the run went back: one stretch ends and another begins
        starts = np.flatnonzero(np.diff(steps, prepend=self._last) <= 0).tolist()
        changed: set[str] = set()
        for start, end in itertools.pairwise([*([0] if 0 not in starts else []), *starts, len(records)]):
            if start < end:
                changed |= self._rewind(int(steps[start]), records[start])
                changed |= self._extend(records[start:end], steps[start:end])
        return changed

    def _rewind(self, step: int, record: dict[str, Any]) -> set[str]:
        if step > self._last:
            return set()
        return {name for name, column in self._columns.items() if column.cut(step, keep=name not in record)}

    def _extend(self, records: list[dict[str, Any]], steps: IntArray) -> set[str]:
        self._last = int(steps[-1])
        times, _ = _floats([record.get("t") for record in records])
        changed: set[str] = set()
        for name in records[0]:
            if name in _PLACES or (name not in self._columns and len(self._columns) >= _MOST_METRICS):
                continue
            values, good = _floats([record[name] for record in records])
            if good.any():
                self._columns.setdefault(name, _Column()).extend(steps[good], times[good], values[good])
                changed.add(name)
        return changed


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _floats(values: Sequence[Any]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return values as floats, and which of them are numbers; the others become NaN."""
    if set(map(type, values)) <= {float, int}:
        try:
            return np.array(values, np.float64), np.ones(len(values), np.bool_)
        except OverflowError:  # a whole number beyond what a float holds
            pass
    found = [number(value) for value in values]
    array = np.array([np.nan if value is None else value for value in found], np.float64)
    return array, np.array([value is not None for value in found], np.bool_)


def read_metrics(path: Path) -> dict[str, Series]:
    """Return all metrics of a file by their names; none when it is missing."""
    tail = MetricsTail(path)
    tail.poll_all()
    return {name: tail.series(name) for name in tail.names}
