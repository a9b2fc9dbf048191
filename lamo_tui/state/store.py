"""What the dashboard knows of the runs folder: one poll gives one immutable snapshot. Knows nothing of Textual."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lamo_core.runs.index import RunIndex, RunSummary
from lamo_core.runs.status import IsAlive, is_alive
from lamo_tui.state.snapshot import RunData, Snapshot
from lamo_tui.state.system import SystemMeter, SystemStats

if TYPE_CHECKING:  # NumPy is loaded when a run is watched, not for the list
    from lamo_tui.state.run_reader import Follower

INDEX_SECONDS = 1.0
"""How often the whole folder is listed; runs that are watched are read at every poll."""
SYSTEM_SECONDS = 2.0
_CALM_SECONDS = 5.0
"""How often the machine's load is read: while runs work, and while none does."""
_FIRST_SECONDS, _NEXT_SECONDS = 0.03, 1.0
"""Runs that are new are read for about so long at first, the newest before the others, and then at a time: a large
folder shows at once, more runs of it than a screen has lines, and is not drawn too often before it is complete."""
_KEPT = 12
"""Runs that stay in memory after nobody watches them."""
_AT_WORK, _GUARDED = frozenset({"running", "stalled", "paused"}), 8
"""States of runs that are read for the sake of alerts though nobody looks at them, and how many at most."""
_POLL_SECONDS = 0.2
"""A poll reads long files for about this long and goes on at the next one, so that the screen stays alive."""


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
        self._index = RunIndex(root, clock=clock, alive=alive, remember=True)
        self._meter = meter
        self._wanted: tuple[str, ...] = ()
        self._followers: OrderedDict[str, Follower] = OrderedDict()
        self._listed_at = self._measured_at = -float("inf")
        self._snapshot = Snapshot(root=root)
        self._expects = False
        """Whether a run is wanted that was not listed yet: it was made a moment ago."""

    def watch(self, ids: Iterable[str]) -> bool:
        """Say which runs' metrics, events and logs are wanted, from the next poll on; returns whether that is new."""
        before, self._wanted = self._wanted, tuple(dict.fromkeys(ids))
        if self._wanted == before:
            return False
        known = {run.id for run in self._snapshot.runs}
        self._expects = any(run_id not in known for run_id in self._wanted)
        return True

    def poll(self) -> Snapshot:
        """Look at what is new and return it together with what was known."""
        now = self._clock()
        due = now - self._listed_at >= INDEX_SECONDS or now < self._listed_at
        due = due or self._snapshot.unread > 0 or self._expects
        self._expects = False
        seconds = _NEXT_SECONDS if self._snapshot.listed else _FIRST_SECONDS
        runs = tuple(self._index.poll(seconds)) if due else self._snapshot.runs
        if runs == self._snapshot.runs:
            runs = self._snapshot.runs  # the same object, so that screens see at once that nothing is new
        system = self._snapshot.system
        if due:
            self._listed_at = now
            system = self._measure(runs, now)
        watched = self._follow({run.id: run for run in runs}, due)
        unread = self._index.left
        self._snapshot = Snapshot(now, self._index.root, runs, watched, system, listed=True, unread=unread)
        return self._snapshot

    def _measure(self, runs: Iterable[RunSummary], now: float) -> SystemStats:
        active = [run for run in runs if run.derived.active]
        pause = SYSTEM_SECONDS if active else _CALM_SECONDS
        if self._meter is None or 0 <= now - self._measured_at < pause:
            return self._snapshot.system
        self._measured_at = now
        return self._meter.read([run.status.pid for run in active if run.status.pid is not None])

    def _follow(self, runs: Mapping[str, RunSummary], due: bool) -> dict[str, RunData]:
        """Read the runs that are wanted, and those at work, which are only looked at for alerts, less often."""
        wanted = [run_id for run_id in self._wanted if run_id in runs]
        known = self._snapshot.watched
        guarded: dict[str, RunData] = {}
        if self._snapshot.listed and not self._index.left:  # the list itself comes first
            at_work = [run.id for run in runs.values() if run.state in _AT_WORK and run.id not in wanted][:_GUARDED]
            wanted += [run_id for run_id in at_work if due or run_id not in known or known[run_id].loading]
            guarded = {run_id: known[run_id] for run_id in at_work if run_id not in wanted}
        if not wanted:
            return guarded
        from lamo_tui.state.run_reader import Follower

        for run_id in wanted:
            if run_id not in self._followers:
                self._followers[run_id] = Follower(runs[run_id].run)
            self._followers.move_to_end(run_id)
        while len(self._followers) > max(_KEPT, len(wanted)):
            self._followers.popitem(last=False)
        end = time.monotonic() + _POLL_SECONDS
        return {run_id: self._followers[run_id].poll(end) for run_id in wanted} | guarded
