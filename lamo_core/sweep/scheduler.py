"""Works off a plan: starts runs, continues those that were killed, tries failed ones once more, skips what is done.

Everything that it knows lies in the plan, the journal and the run folders, so it can be killed at any moment.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from lamo_core.errors import LamoError, StorageError, UsageError
from lamo_core.runs.control import send
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.waiting import dequeue, enqueue, leave
from lamo_core.runs.status import Derived, Status, read_state, write_status
from lamo_core.sweep.engines import Engine
from lamo_core.sweep.folder import ItemRecord, Journal, SweepFolder
from lamo_core.sweep.plan import Plan, PlannedRun, planned_settings

ItemState = Literal["waiting", "working", "done", "failed", "stopped"]
ITEM_STATES: tuple[ItemState, ...] = ("done", "working", "waiting", "stopped", "failed")
MOST_FAILURES = 2
"""A run that failed is tried once more, then reported."""
_WORKING = ("running", "stalled", "paused")


@dataclass(frozen=True)
class ItemView:
    """How one run of a sweep is doing."""

    planned: PlannedRun
    state: ItemState
    record: ItemRecord
    status: Status | None = None

    @property
    def key(self) -> str:
        """The item's name."""
        return self.planned.key

    @property
    def has_result(self) -> bool:
        """Whether its run has a final evaluation, or at least was trained to its end."""
        return self.state == "done" or (self.status is not None and self.status.final is not None)

    @property
    def run_id(self) -> str:
        """The id of its run; empty before it was made."""
        return self.planned.done or self.record.run


def look(folder: SweepFolder, plan: Plan, journal: Journal | None = None) -> list[ItemView]:
    """Return how every run of a sweep is doing, from its files alone."""
    journal = journal or Journal(folder)
    views = []
    for planned in plan.runs:
        record = journal.record(planned.key)
        status, derived = (None, None) if not record.run else read_state(folder.run(record.run))
        views.append(ItemView(planned, _state(planned, record, derived), record, status))
    return views


def _state(planned: PlannedRun, record: ItemRecord, derived: Derived | None) -> ItemState:
    if planned.done or (derived is not None and derived.state == "finished"):
        return "done"
    if derived is None:
        return "waiting"
    if derived.state in _WORKING:
        return "working"
    if record.failures >= MOST_FAILURES:
        return "failed"
    return "stopped" if derived.state == "stopped" else "waiting"


class Scheduler:
    """One process's work on a sweep; call `step` until `over`."""

    def __init__(
        self,
        folder: SweepFolder,
        plan: Plan,
        engine: Engine,
        *,
        argv: list[str],
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder, self.plan = folder, plan
        self.journal = Journal(folder)
        self.stopping = False
        self._engine, self._argv, self._say = engine, argv, say
        self._open: dict[str, PlannedRun] = {planned.key: planned for planned in plan.open}
        self._working: dict[str, RunDirectory] = {}
        self._waiting: list[str] = []
        self._over: dict[str, ItemState] = {planned.key: "done" for planned in plan.runs if planned.done}
        for key in self._open:
            self._begin(key)

    @property
    def over(self) -> bool:
        """Whether nothing works and nothing more will be started."""
        return not self._working and (self.stopping or not self._waiting)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many runs are in each state."""
        counts: Counter[str] = Counter(self._over.values())
        counts["working"], counts["waiting"] = len(self._working), len(self._waiting)
        return counts

    @property
    def working(self) -> list[str]:
        """The runs under way, by their keys."""
        return list(self._working)

    def step(self) -> None:
        """Note which runs have ended and start others in their place; raises `StorageError`."""
        for key, run in list(self._working.items()):
            self._look_at(key, run)
        while self._waiting and not self.stopping and len(self._working) < self._engine.jobs:
            key = self._waiting[0]
            if not self._engine.fits(self._open[key].room):
                return
            self._waiting.pop(0)
            self._start(key)

    def stop(self) -> None:
        """Ask every run to save and end, and start nothing more; a process that begins just now must be asked again."""
        self.stopping = True
        for run in self._working.values():
            if not dequeue(run):
                send(run, "stop")

    def _begin(self, key: str) -> None:
        """Sort an item by what an earlier process left behind."""
        record = self.journal.record(key)
        if not record.run:
            self._waiting.append(key)
            return
        run = self.folder.run(record.run)
        _, derived = read_state(run)
        if derived.state == "finished":
            if record.event != "done":
                self.journal.note(key, "done", run.id)
            self._over[key] = "done"
        elif derived.state in _WORKING or self._engine.alive(run, record.job):
            self._working[key] = run
        elif derived.state == "failed" and record.event != "failed":
            self._failed(key, run.id, read_state(run)[0].message)
        elif record.failures >= MOST_FAILURES:
            self._over[key] = "failed"
        else:
            self._waiting.append(key)

    def _look_at(self, key: str, run: RunDirectory) -> None:
        status, derived = read_state(run)
        if derived.state in _WORKING or self._engine.alive(run, self.journal.record(key).job):
            return
        # it may have ended between the two looks
        status, derived = read_state(run)
        del self._working[key]
        if derived.state == "finished":
            self.journal.note(key, "done", run.id)
            self._over[key] = "done"
            self._say(f"done: {key}")
        elif derived.state == "stopped" or self.stopping:
            self.journal.note(key, "stopped", run.id, status.message)
            self._over[key] = "stopped"
            self._say(f"stopped: {key}")
        else:
            ended = "its process ended without a word"
            self._failed(key, run.id, ended if derived.state in ("lost", "queued") else status.message)

    def _failed(self, key: str, run_id: str, message: str) -> None:
        self.journal.note(key, "failed", run_id, message)
        if self.journal.record(key).failures < MOST_FAILURES:
            self._say(f"failed, tried once more: {key} ({message})")
            self._waiting.append(key)
        else:
            self._say(f"failed twice: {key} ({message})")
            self._over[key] = "failed"

    def _start(self, key: str) -> None:
        record = self.journal.record(key)
        try:
            run = self.folder.run(record.run) if record.run else self._create(key)
            arguments, event = self._arguments(run, again=bool(record.run))
            if self._engine.waits and arguments[0] == "--adopt":
                enqueue(run, owner=f"sweep {self.folder.name}")
            self._working[key] = run
            job = self._engine.start(run, arguments)
        except StorageError:
            raise
        except LamoError as error:
            # such as a preset that was changed since the plan was made: the others are not to suffer for it
            self._working.pop(key, None)
            self._failed(key, record.run, str(error))
            return
        self.journal.note(key, event, run.id, job=job)
        self._say(f"{event}: {key}")

    def _create(self, key: str) -> RunDirectory:
        resolved = planned_settings(self._open[key])
        run = create_run(self.folder.root, resolved.config, resolved.origins, self._argv)
        # noted before its process exists, so that it is never forgotten
        self.journal.note(key, "started", run.id)
        return run

    def _arguments(self, run: RunDirectory, *, again: bool) -> tuple[list[str], str]:
        if run.last_checkpoint.is_file():
            return ["--resume", str(run.last_checkpoint)], "resumed"
        if again:
            # it never came as far as a checkpoint: begin again in the same folder
            status, derived = read_state(run)
            if derived.state in _WORKING:
                raise UsageError(f"run {run.id} works already")
            run.launch_file.unlink(missing_ok=True)
            leave(run)
            write_status(run, Status(state="queued", total=status.total, heartbeat=time.time()))
        return ["--adopt", str(run.path)], "restarted" if again else "started"
