"""The list of all runs in a folder, fast enough for a thousand of them and for asking every second.

Two small files of each run are read, and only when they changed; metrics and checkpoints are not touched.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lamo_core.places import runs_dir
from lamo_core.runs.compare import flatten
from lamo_core.runs.directory import RUN_FILE, STATUS_FILE, RunDirectory
from lamo_core.runs.queue import QueueEntry, positions, read_entry
from lamo_core.runs.records import decode, number
from lamo_core.runs.status import ENDED, Derived, IsAlive, Status, derive, is_alive, parse_status, read_launch


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run."""

    run: RunDirectory
    name: str
    """The preset, with its ablations."""
    created: float
    """Seconds since 1970."""
    settings: dict[str, Any]
    """The resolved config under dotted names, such as `data.ratio`."""
    status: Status
    derived: Derived
    queue: QueueEntry | None = None
    """What a run waits for that has not begun."""
    position: int | None = None
    """Its place in the queue, from 1; only where the whole folder was listed."""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def state(self) -> str:
        """The derived state."""
        return self.derived.state

    def to_dict(self) -> dict[str, Any]:
        """Return what `lamo runs --json` prints."""
        status = self.status
        return {
            "id": self.id,
            "path": str(self.run.path),
            "name": self.name,
            "state": self.state,
            "position": self.position,
            "stalled_seconds": self.derived.stalled_seconds,
            "task": self.settings.get("task.name"),
            "ratio": self.settings.get("data.ratio"),
            "method": self.settings.get("method"),
            "backbone": self.settings.get("model.backbone"),
            "seed": self.settings.get("seed"),
            "step": status.step,
            "total": status.total,
            "phase": status.phase,
            "rate": status.rate,
            "eta": status.eta,
            "loss": status.loss,
            "last_return": status.last_return,
            "evaluations": status.evaluations,
            "created": self.created,
            "seconds": status.seconds,
            "device": status.device,
            "pid": status.pid,
            "host": status.host,
            "reason": status.reason,
            "message": status.message,
        }


@dataclass
class _Known:
    """What was read of a run, and the stamps of the files it was read from."""

    name: str
    created: float
    settings: dict[str, Any]
    info_stamp: tuple[int, int, int]
    status_stamp: tuple[int, int, int] | None = None
    status: Status = field(default_factory=lambda: Status(state=""))
    summary: RunSummary | None = None
    """Set for a run that has ended: it holds until one of the two files changes."""


class RunIndex:
    """Lists the runs of one folder again and again."""

    def __init__(
        self,
        root: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        alive: IsAlive = is_alive,
    ) -> None:
        self.root = Path(os.path.abspath(root or runs_dir()))
        self._clock = clock
        self._alive = alive
        self._known: dict[str, _Known] = {}

    def poll(self) -> list[RunSummary]:
        """Return all runs, newest first; folders that hold no readable run.json are passed over."""
        try:
            with os.scandir(self.root) as entries:
                names = sorted(
                    (entry.name for entry in entries if not entry.name.startswith(".")), reverse=True
                )
        except OSError:
            names = []
        summaries = [self._summary(name) for name in names]
        found = [summary for summary in summaries if summary is not None]
        self._known = {summary.id: self._known[summary.id] for summary in found}
        places = positions((summary.id, summary.queue) for summary in found if summary.queue is not None)
        return [replace(run, position=places[run.id]) if run.id in places else run for run in found]

    def _summary(self, name: str) -> RunSummary | None:
        known = self._known.get(name)
        if known is not None and known.summary is not None and self._unchanged(name, known):
            return known.summary
        run = RunDirectory(self.root / name)
        known = self._read(run, known)
        if known is None:
            return None
        self._known[name] = known
        now, launch, entry = self._clock(), None, None
        if known.status.state == "queued":
            launch, entry = read_launch(run), read_entry(run)
        derived = derive(known.status, now=now, alive=self._alive, launch=launch, waiting=entry is not None)
        summary = RunSummary(run, known.name, known.created, known.settings, known.status, derived, entry)
        known.summary = summary if derived.state in ENDED else None
        return summary

    def _unchanged(self, name: str, known: _Known) -> bool:
        # joined as texts: a thousand runs are looked at every second
        folder = os.path.join(self.root, name)
        info, status = (os.path.join(folder, file) for file in (RUN_FILE, STATUS_FILE))
        return _stamp(status) == known.status_stamp and _stamp(info) == known.info_stamp

    def _read(self, run: RunDirectory, known: _Known | None) -> _Known | None:
        stamp = _stamp(run.run_file)
        if stamp is None:
            return None
        if known is None or known.info_stamp != stamp:
            info = _load(run.run_file)
            config = info.get("config")
            if not isinstance(config, dict):
                return None
            created = number(info.get("created")) or 0.0
            known = _Known(str(info.get("name") or config.get("name") or ""), created, flatten(config), stamp)
        status_stamp = _stamp(run.status_file)
        if status_stamp is None:
            known.status, known.status_stamp = Status(state=""), None
        elif status_stamp != known.status_stamp:
            known.status, known.status_stamp = parse_status(_load(run.status_file)), status_stamp
        return known


def list_runs(root: Path | None = None) -> list[RunSummary]:
    """Return all runs of a folder, newest first."""
    return RunIndex(root).poll()


def summarise(run: RunDirectory) -> RunSummary:
    """Return the summary of one run; raises `UsageError` when it is none."""
    run.read_info()
    index = RunIndex(run.path.parent)
    summary = index._summary(run.id)
    assert summary is not None
    return summary


def _stamp(path: Path | str) -> tuple[int, int, int] | None:
    """Return what changes when a file is replaced: its node, time and size."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _load(path: Path) -> dict[str, Any]:
    try:
        return decode(path.read_bytes()) or {}
    except OSError:
        return {}
