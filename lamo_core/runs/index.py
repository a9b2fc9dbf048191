"""The list of all runs in a folder, fast enough for a thousand of them and for asking every second.

Two small files of each run are read, and only when they changed; metrics and checkpoints are not touched. Of a run that
has ended only the folder's own stamp is asked for: both files are replaced as wholes, which changes it. So it can be
remembered from one time to the next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lamo_core.places import runs_dir
from lamo_core.runs.compare import flatten
from lamo_core.runs.directory import MOST_BYTES, STATUS_FILE, RunDirectory, is_run_name, is_sound
from lamo_core.runs.evaluations import Change, history
from lamo_core.runs.labels import Label, Origins, experiment_key, label_of
from lamo_core.runs.queue.entry import QueueEntry, read_entry, read_launch
from lamo_core.runs.queue.waiting import positions
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import decode, number
from lamo_core.runs.status import ENDED, Derived, IsAlive, Status, derive, is_alive, parse_status
from lamo_core.runs.summary_cache import Ended, Remembered, Stamp
from lamo_core.untrusted.regular_file import RUN_FILE, read_regular

_SETTLED_NS = 2_000_000_000
"""A folder that changed less than this ago may change again under the same time: file systems' clocks are coarse."""

_NEWEST, _TURNS = 50, 5
"""Who lists a folder every second looks at the newest runs and at those at work each time, and of the others that have
ended at every so many."""


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run."""

    run: RunDirectory
    name: str
    """The preset, with its ablations."""
    created: float
    """Seconds since 1970."""
    config: dict[str, Any]
    """The resolved config, nested as it was written."""
    origins: Origins
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

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved config under dotted names, such as `data.ratio`."""
        return flatten(self.config)

    @cached_property
    def label(self) -> Label:
        """Its method, its ablations and what was set by hand."""
        return label_of(self.settings, self.origins, self._counting_changes)

    @cached_property
    def experiment(self) -> tuple[str, ...]:
        """What it shares with the runs of other seeds that it may be averaged with."""
        return experiment_key(self.settings, self._counting_changes)

    @property
    def _counting_changes(self) -> tuple[Change, ...]:
        return self.status.changes if self.status.final is None else self.status.final_changes

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
            "method": self.label.method,
            "ablations": self.label.ablations,
            "changed_settings": self.label.changed,
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
            "final": status.final,
            "changes": [(change.step, change.name, change.value) for change in status.changes],
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
    config: dict[str, Any]
    origins: Origins
    info_stamp: Stamp | None
    """None where it was remembered."""
    status_stamp: Stamp | None = None
    status: Status = field(default_factory=lambda: Status(state=""))
    summary: RunSummary | None = None
    """Set for a run that has ended: it holds until its folder changes."""
    folder_stamp: Stamp | None = None
    """Set where the folder had settled before its files were read."""


class RunIndex:
    """Lists the runs of one folder again and again."""

    def __init__(
        self,
        root: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        alive: IsAlive = is_alive,
        remember: bool = False,
    ) -> None:
        """`remember`, for who lists again and again, keeps what was read of ended runs in the cache folder and begins
        with what is kept there; changes of old ended runs show some polls later."""
        self.root = Path(os.path.abspath(root or runs_dir()))
        self.left = 0
        """Folders that the last `poll` had no time to look at."""
        self._prefix = os.path.join(self.root, "")
        self._clock = clock
        self._alive = alive
        self._known: dict[str, _Known] = {}
        self._seen: set[str] = set()
        self._names: list[str] = []
        self._names_stamp: Stamp | None = None
        self._remembered = Remembered(self.root) if remember else None
        self._polls, self._news = 0, False
        """How often the folder was listed, and whether a run was read that has ended."""

    def poll(self, seconds: float | None = None) -> list[RunSummary]:
        """Return all runs, newest first; folders that hold no readable run.json are passed over.

        With `seconds` of processor time, new runs are read for about so long: the newest first, others at later calls.
        """
        self.keep()  # after the first whole list was shown, not before
        names = self._list()
        end = None if seconds is None else time.thread_time() + seconds
        self._polls += 1
        # not before the newest runs are shown, where that counts
        if self._remembered is not None and (self._polls == 1 if seconds is None else self._polls == 2 and self.left):
            self._remembered.load()
        found: list[RunSummary] = []
        known: dict[str, _Known] = {}
        # at least one that is new is read, the others may wait for the next call
        late = set([name for name in names if name not in self._seen][1:])
        for place, name in enumerate(names):
            if end is not None and name in late and time.thread_time() > end:
                continue
            late.discard(name)
            summary = self._settled_summary(name, place) or self._summary(name)
            if summary is not None:
                found.append(summary)
                known[name] = self._known[name]
        self._known, self._seen, self.left = known, set(names) - late, len(late)
        places = positions((summary.id, summary.queue) for summary in found if summary.queue is not None)
        return [replace(run, position=places[run.id]) if run.id in places else run for run in found]

    def keep(self) -> None:
        """Remember the ended runs once all were read, which is known from the poll before."""
        if self._remembered is None or self.left or not self._news:
            return
        self._news = False
        self._remembered.keep(
            {
                name: Ended(known.folder_stamp, known.name, known.created, known.config, known.origins, known.status)
                for name, known in self._known.items()
                if known.summary is not None and known.folder_stamp is not None
            }
        )

    def _list(self) -> list[str]:
        """Return the names of what could be runs, newest first."""
        stamp = _settled(_stamp(self._prefix))
        if stamp is None or stamp != self._names_stamp:
            try:
                with os.scandir(self.root) as entries:
                    names = [entry.name for entry in entries if is_run_name(entry.name)]
            except OSError:
                names = []
            self._names, self._names_stamp = sorted(names, reverse=True), stamp
        return self._names

    def _settled_summary(self, name: str, place: int) -> RunSummary | None:
        """Return an old run that has ended as it was known, unless it is its turn to be looked at."""
        known = self._known.get(name) if self._remembered is not None and place >= _NEWEST else None
        return known.summary if known is not None and (place + self._polls) % _TURNS else None

    def _summary(self, name: str) -> RunSummary | None:
        known = self._known.get(name)
        folder = f"{self._prefix}{name}"
        stamp = _stamp(folder)
        if known is not None and known.summary is not None and stamp == known.folder_stamp:
            return known.summary
        if known is None and stamp is not None and self._remembered is not None:
            ended = self._remembered.find(name, stamp)
            if ended is not None:
                return self._recall(name, folder, ended)
        known = self._read(folder, known)
        if known is None:
            return None
        self._known[name] = known
        if known.summary is not None:
            known.folder_stamp = _settled(stamp)
            return known.summary
        run = RunDirectory(Path(folder))
        now, launch, entry = self._clock(), None, None
        if known.status.state == "queued":
            launch, entry = read_launch(run), read_entry(run)
        derived = derive(known.status, now=now, alive=self._alive, launch=launch, waiting=entry is not None)
        summary = RunSummary(run, known.name, known.created, known.config, known.origins, known.status, derived, entry)
        if derived.state in ENDED:
            known.summary, known.folder_stamp = summary, _settled(stamp)
            self._news = self._news or known.folder_stamp is not None
        return summary

    def _recall(self, name: str, folder: str, ended: Ended) -> RunSummary:
        derived = derive(ended.status, now=self._clock(), alive=self._alive)
        run = RunDirectory(Path(folder))
        told = (ended.name, ended.created, ended.config, ended.origins)
        summary = RunSummary(run, *told, ended.status, derived)
        known = _Known(*told, None, None, ended.status, summary, ended.stamp)
        self._known[name] = known
        return summary

    def _read(self, folder: str, known: _Known | None) -> _Known | None:
        info_file, status_file = f"{folder}/{RUN_FILE}", f"{folder}/{STATUS_FILE}"
        stamp = _stamp(info_file)
        if stamp is None:
            return None
        if known is None or known.info_stamp != stamp:
            info = _load(info_file)
            config = info.get("config")
            if not isinstance(config, dict) or not is_sound(config):
                return None
            created = number(info.get("created")) or 0.0
            name = str(info.get("name") or config.get("name") or "")
            known = _Known(name, created, config, Origins.of(info.get("origins")), stamp)
        status_stamp = _stamp(status_file)
        if status_stamp != known.status_stamp:
            status = _status(folder, _load(status_file)) if status_stamp is not None else Status(state="")
            known.status, known.status_stamp, known.summary = status, status_stamp, None
        return known


def list_runs(root: Path | None = None) -> list[RunSummary]:
    """Return all runs of a folder, newest first; what is remembered of ended ones is that of the dashboard."""
    index = RunIndex(root, remember=True)
    summaries = index.poll()
    index.keep()
    return summaries


def summarise(run: RunDirectory) -> RunSummary:
    """Return the summary of one run; raises `UsageError` when it is none."""
    run.read_info()
    index = RunIndex(run.path.parent)
    summary = index._summary(run.id)
    assert summary is not None  # what `read_info` takes the list takes, too
    return summary


def _status(folder: str, values: dict[str, Any]) -> Status:
    """Return the status that a file holds; of an ended run of a version that did not say there which of its
    evaluations was final, the events tell."""
    status = parse_status(values)
    if "final" in values or status.final is not None or not status.evaluations or status.state not in ENDED:
        return status
    held = history(read_events(RunDirectory(Path(folder)).events_file))
    final = next((point for point in status.evaluations if held.final and point.step == held.final.step), None)
    return replace(status, final=final, changes=held.changes, final_changes=held.final_changes)


def _stamp(path: str) -> Stamp | None:
    """Return what changes when a file is replaced: its node, time and size."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _settled(stamp: Stamp | None) -> Stamp | None:
    """Return the stamp of a folder that changed long enough ago for its time to tell; else None."""
    return stamp if stamp is not None and time.time_ns() - stamp[1] > _SETTLED_NS else None


def _load(path: str) -> dict[str, Any]:
    try:
        return decode(read_regular(path, MOST_BYTES)) or {}
    except OSError:
        return {}
