"""What is said the moment it happens, whatever is in view: alerts, runs that break off, memory that runs out.

Each thing is said once, and nothing that was there before the dashboard. Knows nothing of Textual.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lamo_core.runs.index import RunSummary
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.state.system import SystemStats
from lamo_tui.text import lost_text, short_id, short_name, size, state_text

_FULL, _RELIEVED = 0.95, 0.9
"""Shares of a memory from which it is nearly full, and below which it may become so once more."""


@dataclass(frozen=True)
class News:
    """Something to say."""

    text: str
    run: RunSummary | None = None
    """None where it is about the machine."""
    severity: Literal["warning", "error"] = "warning"

    def words(self, opened: str | None) -> str:
        """Return the sentence, with the run's name unless that run is what one looks at."""
        if self.run is None or self.run.id == opened:
            return self.text
        return f"{short_name(self.run)} ({short_id(self.run.id)}): {self.text}"


class Announcer:
    """Compares each snapshot with those before."""

    def __init__(self) -> None:
        self._old: set[str] = set()
        """Runs that were there when the folder had been listed for the first time."""
        self._complete = False
        self._runs: tuple[RunSummary, ...] = ()
        self._objects: set[int] = set()
        """Their ids as objects, which stay theirs as long as they are kept here."""
        self._states: dict[str, tuple[str, str]] = {}
        """Of each run, with the message."""
        self._alerts: dict[str, set[object]] = {}
        self._full: set[str] = set()

    def news(self, snapshot: Snapshot) -> list[News]:
        """Return what is new in a snapshot."""
        if not snapshot.listed:
            return []
        if not self._complete:
            self._old |= {run.id for run in snapshot.runs}
            self._complete = not snapshot.unread
        found = [*self._alerted(snapshot), *self._ended(snapshot)]
        if any(run.derived.active for run in snapshot.runs):
            found += self._filled(snapshot.system)
        return found

    def _ended(self, snapshot: Snapshot) -> Iterator[News]:
        """Yield what the states of runs say: they stalled, failed, are lost, or could not do what they were asked."""
        # most of a thousand runs are the same objects as before
        changed = [run for run in snapshot.runs if id(run) not in self._objects]
        self._runs, self._objects = snapshot.runs, {id(run) for run in snapshot.runs}
        for run in changed:
            now = (run.state, run.status.message)
            (was, said) = self._states.get(run.id, now if run.id in self._old else ("", ""))
            self._states[run.id] = now
            if run.state == "paused" and run.status.message not in ("", said):
                yield News(f"paused: {run.status.message}", run)
            elif run.state == was:
                continue
            elif run.state == "stalled":
                silent = state_text(run).removeprefix("stalled ")
                yield News(f"nothing heard of its process for {silent}", run)
            elif run.state == "failed":
                yield News(f"failed: {run.status.message}", run, "error")
            elif run.state == "lost":
                yield News(lost_text(run), run, "error")

    def _alerted(self, snapshot: Snapshot) -> Iterator[News]:
        """Yield the alerts of runs that are watched; what a run had when it was read for the first time is old."""
        for run_id, data in snapshot.watched.items():
            run = snapshot.run(run_id)
            if data.loading or run is None:
                continue
            first = run_id not in self._alerts
            told = self._alerts.setdefault(run_id, set())
            for alert in data.alerts:
                # not the whole alert: a run that goes back takes the same steps at other times
                mark = (alert.kind, alert.text)
                if mark not in told and not (first and run_id in self._old):
                    yield News(alert.text, run)
                told.add(mark)

    def _filled(self, system: SystemStats) -> Iterator[News]:
        memories = [("this machine's memory", system.memory_used, system.memory_total)]
        memories += [(f"the memory of {gpu.name}", gpu.memory_used, gpu.memory_total) for gpu in system.gpus]
        for number, (name, used, total) in enumerate(memories):
            key, share = f"{number} {name}", used / total if used is not None and total else 0.0
            if share >= _FULL and key not in self._full:
                self._full.add(key)
                yield News(f"{name} is nearly full: {size(used)} of {size(total)}")
            elif share < _RELIEVED:
                self._full.discard(key)
