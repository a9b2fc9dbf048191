"""How a run is doing: what it says itself in status.json, and what is true of it.

A process that dies cannot say so. A state is therefore derived: a run is `running` when its status says so
and that very process lives; else it is `lost`. A process id alone proves nothing, because ids are used again,
so the start time of the process is kept beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from lamo_core.files import replace_file
from lamo_core.runs.directory import ELSEWHERE, MOST_BYTES, SCHEMA, RunDirectory
from lamo_core.runs.evaluations import Change, Standing
from lamo_core.runs.queue.entry import read_entry, read_launch, this_host
from lamo_core.runs.records import decode, encode, number
from lamo_core.untrusted.plain_text import plain_text
from lamo_core.untrusted.regular_file import read_regular

State = Literal["queued", "running", "stalled", "paused", "finished", "stopped", "failed", "lost"]
STATES: tuple[State, ...] = (
    "queued",
    "running",
    "stalled",
    "paused",
    "finished",
    "stopped",
    "failed",
    "lost",
)
ACTIVE: frozenset[str] = frozenset({"queued", "running", "stalled", "paused"})
"""States in which a process works on the run, or soon will."""
ENDED: frozenset[str] = frozenset({"finished", "stopped", "failed"})
"""States that a run stays in until somebody continues it."""
RESUMABLE: frozenset[str] = frozenset({"stopped", "failed", "lost"})

FREED = "memory freed"
"""Phase of a paused run that holds nothing on its device."""

STALLED_AFTER = 30.0
"""Seconds without a heartbeat after which a living run counts as stalled."""
PREPARING_STALLED_AFTER = 180.0
"""The same before the first step: to load libraries, data and a model can take long on a busy machine."""
FOREIGN_LOST_AFTER = 600.0
"""The same for a run of another machine, whose processes cannot be seen: after this it is lost."""
LAUNCH_SECONDS = 30.0
"""Seconds that a queued run has for its process to be noted down."""
_SAME_START = 2.0
"""Seconds within which two start times are the same: they are derived from two readings of whole seconds."""


@dataclass(frozen=True)
class EvalPoint:
    """The best target's score of one evaluation, for sparklines."""

    step: int
    mean: float
    normalised: float


@dataclass(frozen=True)
class Status:
    """The content of status.json: what the run's own process said last."""

    state: str = "queued"
    pid: int | None = None
    pid_started: float | None = None
    host: str = ""
    step: int = 0
    total: int = 0
    phase: str = ""
    """What it is at, such as `training`, `evaluation` or a stage of data preparation."""
    phase_done: int = 0
    phase_total: int = 0
    rate: float | None = None
    """Optimiser steps per second; evaluations do not count."""
    eta: float | None = None
    """Seconds left."""
    loss: float | None = None
    language_loss: float | None = None
    held_out_loss: float | None = None
    """Action loss on held-out episodes at the newest evaluation; None where that is not measured."""
    evaluations: tuple[EvalPoint, ...] = field(default=())
    """The newest ones, oldest first."""
    final: EvalPoint | None = None
    """The newest evaluation after a last step, which the run keeps when it is continued."""
    changes: tuple[Change, ...] = field(default=())
    """Settings that were changed after the run began, oldest first."""
    final_changes: tuple[Change, ...] = field(default=())
    """Those of them that held at the final evaluation."""
    device: str = ""
    heartbeat: float = 0.0
    """When the process last said anything, seconds since 1970."""
    started: float | None = None
    """When the run first began."""
    seconds: float = 0.0
    """Wall time worked in all stretches, pauses left out."""
    reason: str = ""
    message: str = ""
    """The last error, why it stopped, or why a paused run did not do what it was asked for."""

    @property
    def freed(self) -> bool:
        """Whether it is paused and holds nothing on its device."""
        return self.state == "paused" and self.phase == FREED

    @property
    def standing(self) -> Standing[EvalPoint]:
        """The evaluations and changed settings, of which one evaluation counts."""
        return Standing(self.evaluations, self.final, self.changes, self.final_changes)

    @property
    def last_return(self) -> float | None:
        """Mean return of the evaluation that counts."""
        counting = self.standing.counting
        return None if counting is None else counting.mean


def _kind(name: str, default: object) -> str:
    if name in ("evaluations", "final"):
        return "points" if name == "evaluations" else "point"
    if name in ("changes", "final_changes"):
        return "changes"
    if isinstance(default, str):
        return "text"
    return "count" if isinstance(default, int) or name == "pid" else "number"


_KINDS = {item.name: _kind(item.name, item.default) for item in fields(Status)}
"""What the file holds under each name."""


@dataclass(frozen=True)
class Derived:
    """What is true of a run now."""

    state: State
    stalled_seconds: float = 0.0
    """Seconds since the last heartbeat of a stalled run, else 0."""

    @property
    def active(self) -> bool:
        """Whether a process works on the run, or soon will."""
        return self.state in ACTIVE


IsAlive = Callable[[int, float | None], bool]
"""Says whether the process with this id and start time lives."""


def process_start(pid: int) -> float | None:
    """Return when a process started, seconds since this machine did; None when there is none, or only its remains.

    Not since 1970: a clock that is put right, as after a suspended machine wakes, must not make a living run look lost.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time() - psutil.boot_time())
    except (psutil.Error, OSError, ValueError):  # what is no id at all, such as -5, is a ValueError
        return None


def is_alive(pid: int, started: float | None) -> bool:
    """Return whether the very process that had this id and start time still lives."""
    now = process_start(pid)
    return now is not None and started is not None and abs(now - started) <= _SAME_START


def has_open(pid: int, path: Path) -> bool:
    """Return whether a process has this very file open, which proves what it works on; a link to it is not the file."""
    import psutil

    try:
        wanted = os.lstat(path)
        opened = [os.stat(file.path) for file in psutil.Process(pid).open_files() if os.path.exists(file.path)]
    except (psutil.Error, OSError, ValueError):
        return False
    return any(os.path.samestat(one, wanted) for one in opened)


def own_process() -> tuple[int, float | None]:
    """Return this process's id and start time."""
    return os.getpid(), process_start(os.getpid())


def derive(
    status: Status,
    *,
    now: float | None = None,
    alive: IsAlive = is_alive,
    launch: Mapping[str, Any] | None = None,
    waiting: bool = False,
) -> Derived:
    """Return what is true of a run that says `status` of itself.

    `launch` is the content of launch.json; `waiting` says that the run stands in a queue.
    """
    now = time.time() if now is None else now
    silent = max(0.0, now - status.heartbeat)
    if status.state == "queued":
        return Derived("queued" if waiting or _will_start(launch, silent, alive) else "lost")
    if status.state in ("finished", "stopped", "failed"):
        return Derived(status.state)  # type: ignore[arg-type]
    if status.state not in ("running", "paused"):
        return Derived("lost")
    if status.host and status.host != this_host():
        lives = silent < FOREIGN_LOST_AFTER
    else:
        lives = status.pid is not None and alive(status.pid, status.pid_started)
    if not lives:
        return Derived("lost")
    if status.state == "running" and silent > (PREPARING_STALLED_AFTER if status.rate is None else STALLED_AFTER):
        return Derived("stalled", silent)
    return Derived("running" if status.state == "running" else "paused")


def _will_start(launch: Mapping[str, Any] | None, silent: float, alive: IsAlive) -> bool:
    if launch is None:
        return silent < LAUNCH_SECONDS
    pid, host = launch.get("pid"), launch.get("host")
    if host != this_host() or not isinstance(pid, int):
        return silent < FOREIGN_LOST_AFTER
    return alive(pid, number(launch.get("pid_started")))


def read_status(run: RunDirectory) -> Status:
    """Return a run's status; what is missing or damaged takes its default."""
    try:
        return parse_status(decode(read_regular(run.status_file, MOST_BYTES)) or {})
    except OSError:
        return Status(state="")


def read_state(run: RunDirectory) -> tuple[Status, Derived]:
    """Return what a run says and what is true of it."""
    status = read_status(run)
    if status.state != "queued":
        return status, derive(status)
    return status, derive(status, launch=read_launch(run), waiting=waits(run))


def has_begun(run: RunDirectory, status: Status) -> bool:
    """Return whether a step was ever taken, so that a run without a checkpoint has lost something."""
    try:
        return status.step > 0 or run.metrics_file.stat().st_size > 0
    except OSError:
        return status.step > 0


def waits(run: RunDirectory) -> bool:
    """Return whether a run stands in a queue and no process was started for it yet."""
    return read_entry(run) is not None


def parse_status(values: Mapping[str, Any]) -> Status:
    """Turn the content of a status file into a `Status`; unknown keys and wrong types are passed over."""
    kept: dict[str, Any] = {"state": ""}
    for name, value in values.items():
        kind = _KINDS.get(name)
        if kind == "points":
            kept[name] = _points(value)
        elif kind == "point":
            kept[name] = next(iter(_points([value])), None)
        elif kind == "changes":
            kept[name] = _changes(value)
        elif kind == "text":
            kept |= {name: value} if isinstance(value, str) else {}
        elif kind == "count":
            kept |= {name: value} if _is_count(value) else {}
        elif kind == "number" and (found := number(value)) is not None:
            kept[name] = found
    return _with_final(Status(**kept))


def _with_final(status: Status) -> Status:
    """Return a status that says which evaluation was final: of a finished run, the one at its last step."""
    newest = status.evaluations[-1] if status.evaluations else None
    known = status.final is not None or newest is None or status.state != "finished" or newest.step != status.step
    return status if known else replace(status, final=newest, final_changes=status.changes)


def status_values(status: Status) -> dict[str, Any]:
    """Return what `parse_status` makes a status of."""
    values: dict[str, Any] = {item.name: getattr(status, item.name) for item in fields(Status)}
    values["evaluations"] = [(point.step, point.mean, point.normalised) for point in status.evaluations]
    final = status.final
    values["final"] = None if final is None else (final.step, final.mean, final.normalised)
    for name in ("changes", "final_changes"):
        values[name] = [(change.step, change.name, change.value) for change in values[name]]
    return values


def write_status(run: RunDirectory, status: Status) -> None:
    """Replace the status file as a whole; raises `StorageError`.

    It is not flushed to the disk: it changes every second, and after a power cut the run is lost anyway.
    """
    text = encode({"schema": SCHEMA} | status_values(status)) + "\n"
    replace_file(run.status_file, lambda file: file.write(text.encode()), ELSEWHERE, survives_power_cut=False)


def _is_count(value: Any) -> bool:
    # no float holds longer integers, so that they could not be divided or drawn
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _points(value: Any) -> tuple[EvalPoint, ...]:
    """Return the evaluations of a status file, where each is a list of step, mean and normalised score."""
    points = []
    for row in value if isinstance(value, list) else ():
        if isinstance(row, list) and len(row) == 3 and _is_count(row[0]):
            mean, normalised = number(row[1]), number(row[2])
            if mean is not None and normalised is not None:
                points.append(EvalPoint(row[0], mean, normalised))
    return tuple(points)


def _changes(value: Any) -> tuple[Change, ...]:
    """Return the changed settings of a status file, where each is a list of step, name and value."""
    rows = [row for row in value if isinstance(row, list) and len(row) == 3] if isinstance(value, list) else []
    return tuple(
        Change(step, plain_text(name), plain_text(text))
        for step, name, text in rows
        if _is_count(step) and isinstance(name, str) and isinstance(text, str)
    )
