"""Runs that wait for a device: a file in the run's own folder says that it waits, so nothing else can be lost.

A small process, `queue_runner`, starts the waiting runs in the order in which they came; it may be killed and started
again at any time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lamo_core.errors import UsageError
from lamo_core.files import write_bytes
from lamo_core.runs.directory import ELSEWHERE, MOST_BYTES, RunDirectory, storage_error
from lamo_core.runs.queue.devices import device_of
from lamo_core.runs.queue.seal import is_sealed, seal_of
from lamo_core.runs.records import decode, encode, number
from lamo_core.runs.status import read_launch, read_state, this_host, write_status
from lamo_core.untrusted.regular_file import read_regular

QUEUE = "queue"
"""Owner of the entries that the queue runner starts; a sweep puts its own name there."""


@dataclass(frozen=True)
class QueueEntry:
    """Why a run has not begun yet: it waits for a device."""

    device: str
    """`cpu`, `mps` or `cuda:N`."""
    entered: float
    """Seconds since 1970; the order of the queue."""
    host: str
    """The machine that is to start it."""
    owner: str = QUEUE
    """Who starts it."""
    seal: str = ""
    """Proof that the queue runner of `host` may start it."""


def enqueue(run: RunDirectory, owner: str = QUEUE, host: str | None = None) -> QueueEntry:
    """Let a run that was made just now wait; returns its entry. Raises `UsageError` when it began already."""
    status, derived = read_state(run)
    if status.state != "queued":
        raise UsageError(f"run {run.id} has begun already ({derived.state}); only new runs can wait in the queue")
    device = device_of(run.read_config().device)
    entry = QueueEntry(device, time.time(), this_host() if host is None else host, owner)
    entry = replace(entry, seal=seal_of(*_facts(run, entry)))
    write_bytes(run.queue_file, (encode(entry) + "\n").encode(), ELSEWHERE)
    return entry


def read_entry(run: RunDirectory) -> QueueEntry | None:
    """Return what a waiting run waits for; None when it does not wait, or no longer, or was not put in here.

    An entry that asks this machine to start it counts only if this machine wrote it.
    """
    try:
        values = decode(read_regular(run.queue_file, MOST_BYTES))
    except OSError:
        return None
    if values is None or read_launch(run) is not None:
        return None
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    entered = number(values.get("entered")) or 0.0
    told = (texts.get(name, default) for name, default in (("host", ""), ("owner", QUEUE), ("seal", "")))
    entry = QueueEntry(texts.get("device", "cpu"), entered, *told)
    asks_us = (entry.owner, entry.host) == (QUEUE, this_host())
    return None if asks_us and not is_sealed(entry.seal, *_facts(run, entry)) else entry


def _facts(run: RunDirectory, entry: QueueEntry) -> tuple[object, ...]:
    return run.id, entry.device, entry.entered, entry.host, entry.owner


def dequeue(run: RunDirectory) -> bool:
    """Take a waiting run out of the queue and mark it as stopped; returns whether it waited at all."""
    status, _ = read_state(run)
    if status.state != "queued" or read_entry(run) is None:
        return False
    # a process that is started this very moment finds that the run is no longer queued, and leaves
    write_status(run, replace(status, state="stopped", reason="stop", message="taken out of the queue"))
    leave(run)
    return True


def leave(run: RunDirectory) -> None:
    """Forget that a run waited; raises `StorageError`."""
    try:
        run.queue_file.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(run.queue_file, error) from error


def positions(waiting: Iterable[tuple[str, QueueEntry]]) -> dict[str, int]:
    """Return each waiting run's place in the queue of its device, from 1; `waiting` holds run ids and entries."""
    found: dict[str, int] = {}
    counts: dict[tuple[str, str], int] = {}
    for run_id, entry in sorted(waiting, key=lambda item: (item[1].entered, item[0])):
        line = (entry.host, entry.device)
        counts[line] = found[run_id] = counts.get(line, 0) + 1
    return found


def runner_file(root: Path) -> Path:
    """Return the file that names the process which starts the waiting runs of a folder on this machine."""
    return root / ".queue" / f"runner-{this_host()}.json"
