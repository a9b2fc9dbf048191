"""Entry of a run in the queue of a device: a file in the run's own folder, so nothing else can be lost."""

from __future__ import annotations

import functools
import socket
from dataclasses import dataclass
from typing import Any

from lamo_core.runs.directory import MOST_BYTES, RunDirectory
from lamo_core.runs.queue.seal import is_sealed
from lamo_core.runs.records import decode, number
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


@functools.cache
def this_host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def read_launch(run: RunDirectory) -> dict[str, Any] | None:
    """Return which detached process was started for the run, if one was."""
    try:
        return decode(read_regular(run.launch_file, MOST_BYTES))
    except OSError:
        return None


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
    return None if asks_us and not is_sealed(entry.seal, *entry_facts(run, entry)) else entry


def entry_facts(run: RunDirectory, entry: QueueEntry) -> tuple[object, ...]:
    return run.id, entry.device, entry.entered, entry.host, entry.owner
