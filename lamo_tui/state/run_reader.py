"""The files of one run, read as they grow. Knows nothing of Textual."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from lamo_core.errors import UsageError
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.reader import LineTail
from lamo_core.untrusted.plain_text import plain_text
from lamo_core.untrusted.regular_file import open_regular
from lamo_tui.state.alerts import AlertWatch
from lamo_tui.state.snapshot import RunData

_MOST_EVENTS = 100_000
"""The newest of them are kept."""
_LOG_LINES = 5_000
_LOG_BYTES = 1 << 20
"""Of a long log, this much of its end is read."""


class Follower:
    """The files of one run, read as they grow."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._metrics = MetricsTail(run.metrics_file, thin=True)
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
            self._metrics.thinned,
        )
        return self._data

    def _poll_events(self) -> bool:
        new = self._event_tail.poll()
        if self._event_tail.restarted:
            self._events = []
        self._events = [*self._events, *new][-_MOST_EVENTS:] if new else self._events
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
            with open_regular(self._path) as file:
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
        self.lines.extend(plain_text(line.decode("utf-8", "replace").rstrip()) for line in whole)
        return bool(whole)
