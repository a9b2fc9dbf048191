"""Runs that wait for a device: a file in the run's own folder says that it waits, so nothing else can be lost.

A small process, `queue_runner`, starts the waiting runs in the order in which they came; it may be killed and started
again at any time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lamo_core.errors import UsageError
from lamo_core.files import write_bytes
from lamo_core.runs.directory import ELSEWHERE, RunDirectory, storage_error
from lamo_core.runs.queue.devices import device_of
from lamo_core.runs.queue.entry import QUEUE, QueueEntry, entry_facts, read_entry, this_host
from lamo_core.runs.queue.seal import seal_of
from lamo_core.runs.records import encode
from lamo_core.runs.status import read_state, write_status


def enqueue(run: RunDirectory, owner: str = QUEUE, host: str | None = None) -> QueueEntry:
    """Let a run that was made just now wait; returns its entry. Raises `UsageError` when it began already."""
    status, derived = read_state(run)
    if status.state != "queued":
        raise UsageError(f"run {run.id} has begun already ({derived.state}); only new runs can wait in the queue")
    device = device_of(run.read_config().device)
    entry = QueueEntry(device, time.time(), this_host() if host is None else host, owner)
    entry = replace(entry, seal=seal_of(*entry_facts(run, entry)))
    write_bytes(run.queue_file, (encode(entry) + "\n").encode(), ELSEWHERE)
    return entry


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
