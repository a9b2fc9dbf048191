"""The folder of a sweep: its plan, a journal of what happened to each run, and the process that works on it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from lamo_core.config import unknown_key
from lamo_core.errors import UsageError
from lamo_core.files import locked, write_bytes
from lamo_core.places import runs_dir
from lamo_core.runs.directory import ELSEWHERE, RunDirectory, storage_error
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.reader import LineTail
from lamo_core.runs.records import decode, encode, number
from lamo_core.runs.status import has_open, is_alive, own_process
from lamo_core.untrusted.regular_file import open_regular

SWEEPS = "sweeps"
_HELD: dict[Path, IO[bytes]] = {}
"""Open as long as this process works on a sweep."""


@dataclass(frozen=True)
class SweepFolder:
    """The paths of one sweep."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def plan_file(self) -> Path:
        """What is to be done; only grows."""
        return self.path / "plan.json"

    @property
    def journal_file(self) -> Path:
        """What happened, one record a line."""
        return self.path / "journal.jsonl"

    @property
    def log_file(self) -> Path:
        """What a sweep in the background says."""
        return self.path / "log.txt"

    @property
    def worker_file(self) -> Path:
        """The process that works on the sweep."""
        return self.path / "worker.json"

    @property
    def lock_file(self) -> Path:
        """What the process that works on the sweep has open."""
        return self.worker_file.with_suffix(".lock")

    @property
    def root(self) -> Path:
        """The folder of runs that the sweep lies in."""
        return self.path.parent.parent

    def taken(self) -> UsageError:
        """Return the error for a name that another sweep has."""
        return UsageError(f"there is a sweep {self.name} already; continue it with: lamo sweep --resume {self.name}")

    def run(self, run_id: str) -> RunDirectory:
        """Return a run of the sweep."""
        return RunDirectory(self.root / run_id)

    def worker(self) -> int | None:
        """Return the id of the living process that works on the sweep; None when there is none on this machine."""
        values = _read(self.worker_file)
        pid, started = values.get("pid"), number(values.get("pid_started"))
        here = values.get("host") == this_host()
        return pid if here and isinstance(pid, int) and is_alive(pid, started) else None

    def claim(self) -> None:
        """Note that this process works on the sweep; raises `UsageError` when another one does."""
        pid, started = own_process()
        # of two that look at once, the second must see what the first wrote
        with locked(self.lock_file, ELSEWHERE):
            other = self.worker()
            if other is not None and other != pid:
                raise UsageError(
                    f"process {other} works on sweep {self.name}; watch it with: lamo sweep status {self.name}"
                )
            note = {"pid": pid, "pid_started": started, "host": this_host()}
            write_bytes(self.worker_file, (encode(note) + "\n").encode(), ELSEWHERE)
        if self.path not in _HELD:
            _HELD[self.path] = open_regular(self.lock_file)

    def is_held_by(self, pid: int) -> bool:
        """Return whether a process provably works on the sweep: a note may come from elsewhere and name any process."""
        return has_open(pid, self.lock_file)

    def release(self) -> None:
        """Note that nobody works on the sweep; a note that cannot be deleted names a process that will be gone."""
        with contextlib.suppress(OSError):
            self.worker_file.unlink(missing_ok=True)
        if self.path in _HELD:
            _HELD.pop(self.path).close()


@dataclass(frozen=True)
class ItemRecord:
    """What the journal says of one item."""

    run: str = ""
    """The id of its run; empty before it was made."""
    event: str = ""
    """The last one: `started`, `resumed`, `done`, `reused`, `failed` or `stopped`."""
    failures: int = 0
    note: str = ""
    job: str = ""
    """How the engine calls the process."""


@dataclass
class Journal:
    """Appends to a sweep's journal and knows what it says; one process writes at a time."""

    folder: SweepFolder
    items: dict[str, ItemRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tail = LineTail(self.folder.journal_file)
        records = tail.poll()
        while not tail.at_end:
            records += tail.poll()
        for record in records:
            self._take(record)

    def record(self, item: str) -> ItemRecord:
        """Return what is known of an item."""
        return self.items.get(item, ItemRecord())

    def note(self, item: str, event: str, run: str, note: str = "", job: str = "") -> None:
        """Add a record; raises `StorageError`."""
        record = {"t": round(time.time(), 3), "item": item, "event": event, "run": run, "note": note, "job": job}
        path = self.folder.journal_file
        try:
            with path.open("ab+") as file:
                # a process that was killed may have left half a line
                glued = file.tell() and not _ends_with_newline(path)
                file.write((b"\n" if glued else b"") + encode(record).encode() + b"\n")
        except OSError as error:
            raise storage_error(path, error) from error
        self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        texts = {key: value for key, value in record.items() if isinstance(value, str)}
        item, event = texts.get("item", ""), texts.get("event", "")
        known = self.record(item)
        failures = known.failures + (event == "failed")
        # a run of the folder, never one that a path leads to
        run = os.path.basename(texts.get("run", "")) or known.run
        self.items[item] = replace(
            known, run=run, event=event, failures=failures, note=texts.get("note", ""), job=texts.get("job", "")
        )


def new_folder(name: str | None, tasks: Iterable[str], root: Path | None = None) -> SweepFolder:
    """Return a folder that does not exist yet; raises `UsageError` for a name that is taken or cannot be one."""
    below = Path(os.path.abspath(root or runs_dir())) / SWEEPS
    if name is None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        words = "-".join(task.partition("-")[2] or task for task in tasks)[:40]
        name = f"{stamp}-{words}"
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UsageError(f"a sweep's name has at most 100 letters, digits, dots and dashes, not {name[:120]!r}")
    folder = SweepFolder(below / name)
    if folder.path.exists():
        raise folder.taken()
    return folder


def sweep_names(root: Path | None = None) -> list[str]:
    """Return the names of all sweeps, the one planned first before the others."""
    found = ((root or runs_dir()) / SWEEPS).glob("*/plan.json")
    return [path.parent.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))]


def find_sweep(name: str, root: Path | None = None) -> SweepFolder:
    """Return the sweep `name`, or the newest for `last`; raises `UsageError` with the nearest name."""
    names = sweep_names(root)
    if not names:
        raise UsageError(f"there are no sweeps in {root or runs_dir()}; plan one with: lamo sweep --tasks … --dry-run")
    if name == "last":
        name = names[-1]
    if name not in names:
        raise unknown_key(name, names, "sweep")
    return SweepFolder(Path(os.path.abspath(root or runs_dir())) / SWEEPS / name)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        return decode(path.read_bytes()) or {}
    except OSError:
        return {}
