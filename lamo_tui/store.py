"""What the dashboard knows of the runs folder: one poll gives one immutable snapshot. Knows nothing of Textual."""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamo_core.errors import UsageError
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunIndex, RunSummary
from lamo_core.runs.reader import LineTail, MetricsTail, Series
from lamo_core.runs.status import IsAlive, is_alive
from lamo_tui.alerts import Alert, AlertWatch
from lamo_tui.system import NO_SYSTEM, SystemMeter, SystemStats

INDEX_SECONDS = 1.0
"""How often the whole folder is listed; runs that are watched are read at every poll."""
_LOG_LINES = 5_000
_LOG_BYTES = 1 << 20
"""Of a long log, this much of its end is read."""
_KEPT = 12
"""Runs that stay in memory after nobody watches them."""
_POLL_SECONDS = 0.2
"""A poll reads long files for about this long and goes on at the next one, so that the screen stays alive."""


@dataclass(frozen=True)
class RunData:
    """Everything of one run that is drawn. Arrays are read-only views that later polls do not change."""

    id: str
    info: Mapping[str, Any]
    series: Mapping[str, Series]
    events: tuple[Mapping[str, Any], ...]
    log: tuple[str, ...]
    alerts: tuple[Alert, ...]
    loading: bool
    """Whether there is more to read than one poll takes in."""
    version: int
    """Rises with every change."""


@dataclass(frozen=True)
class Snapshot:
    """The runs folder at one moment."""

    time: float = 0.0
    root: Path = Path("runs")
    runs: tuple[RunSummary, ...] = ()
    """Newest first."""
    watched: Mapping[str, RunData] = field(default_factory=dict)
    system: SystemStats = NO_SYSTEM
    listed: bool = False
    """Whether the folder has been listed at all."""

    def same_as(self, other: Snapshot) -> bool:
        """Return whether nothing but the time differs from another snapshot of the same store."""
        return (
            self.runs is other.runs
            and self.system is other.system
            and self.listed == other.listed
            and self.watched.keys() == other.watched.keys()
            and all(data is other.watched[run_id] for run_id, data in self.watched.items())
        )

    def run(self, run_id: str) -> RunSummary | None:
        """Return a run's summary, None when the folder holds no such run."""
        return next((run for run in self.runs if run.id == run_id), None)


class RunStore:
    """Polls the runs folder; `watch` may be called from another thread than `poll`."""

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.time,
        alive: IsAlive = is_alive,
        meter: SystemMeter | None = None,
    ) -> None:
        self.root = root
        self._clock = clock
        self._index = RunIndex(root, clock=clock, alive=alive)
        self._meter = meter
        self._wanted: tuple[str, ...] = ()
        self._followers: OrderedDict[str, _Follower] = OrderedDict()
        self._listed_at = -float("inf")
        self._snapshot = Snapshot(root=root)

    def watch(self, ids: Iterable[str]) -> None:
        """Say which runs' metrics, events and logs are wanted; takes effect at the next poll."""
        self._wanted = tuple(dict.fromkeys(ids))

    def poll(self) -> Snapshot:
        """Look at what is new and return it together with what was known."""
        now = self._clock()
        due = now - self._listed_at >= INDEX_SECONDS or now < self._listed_at
        runs = tuple(self._index.poll()) if due else self._snapshot.runs
        if runs == self._snapshot.runs:
            runs = self._snapshot.runs  # the same object, so that screens see at once that nothing is new
        system = self._snapshot.system
        if due:
            self._listed_at = now
            pids = [run.status.pid for run in runs if run.derived.active and run.status.pid is not None]
            system = self._meter.read(pids) if self._meter is not None else system
        watched = self._follow({run.id: run for run in runs})
        self._snapshot = Snapshot(now, self._index.root, runs, watched, system, listed=True)
        return self._snapshot

    def _follow(self, runs: Mapping[str, RunSummary]) -> dict[str, RunData]:
        wanted = [run_id for run_id in self._wanted if run_id in runs]
        for run_id in wanted:
            if run_id not in self._followers:
                self._followers[run_id] = _Follower(runs[run_id].run)
            self._followers.move_to_end(run_id)
        while len(self._followers) > max(_KEPT, len(wanted)):
            self._followers.popitem(last=False)
        end = time.monotonic() + _POLL_SECONDS
        return {run_id: self._followers[run_id].poll(end) for run_id in wanted}


class _Follower:
    """The files of one run, read as they grow."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._metrics = MetricsTail(run.metrics_file)
        self._event_tail = LineTail(run.events_file)
        self._events: list[dict[str, Any]] = []
        self._log = _TextTail(run.log_file)
        self._alerts = AlertWatch()
        self._data = RunData(run.id, {}, {}, (), (), (), loading=True, version=0)

    def poll(self, end: float) -> RunData:
        """Read until nothing is new or the moment `end` has come."""
        changed = self._metrics.poll()
        while not self._metrics.at_end and time.monotonic() < end:
            changed |= self._metrics.poll()
        loading = not self._metrics.at_end
        events, log = self._poll_events(), self._log.poll()
        if not (changed or events or log) and self._data.version and loading == self._data.loading:
            return self._data
        series = {name: self._metrics.series(name) for name in self._metrics.names}
        self._alerts.update(series)
        self._data = RunData(
            self._run.id,
            self._data.info or self._info(),
            series,
            tuple(self._events),
            tuple(self._log.lines),
            tuple(self._alerts.alerts),
            loading,
            self._data.version + 1,
        )
        return self._data

    def _poll_events(self) -> bool:
        new = self._event_tail.poll()
        if self._event_tail.restarted:
            self._events = []
        self._events += new
        return bool(new) or self._event_tail.restarted

    def _info(self) -> dict[str, Any]:
        try:
            return self._run.read_info()
        except UsageError:  # it was deleted a moment ago; the list says so at its next look
            return {}


class _TextTail:
    """Follows a plain text file; keeps its newest lines."""

    def __init__(self, path: Path) -> None:
        self.lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._path = path
        self._offset = -1
        self._part = b""

    def poll(self) -> bool:
        """Take in what is new and say whether there was anything."""
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if self._offset < 0 or size < self._offset:
                    self.lines.clear()
                    self._part, self._offset = b"", max(0, size - _LOG_BYTES)
                file.seek(self._offset)
                data = file.read(_LOG_BYTES)
        except OSError:
            return False
        self._offset += len(data)
        *whole, self._part = (self._part + data).split(b"\n")
        self.lines.extend(line.decode("utf-8", "replace").rstrip() for line in whole)
        return bool(whole)
