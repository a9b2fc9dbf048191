"""What is done to a run from outside, beyond commands: kill its process, remove it, wait for it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from lamo_core.errors import LamoError, UsageError
from lamo_core.exchange.policy_repository import fetch_policy, means_repository
from lamo_core.runs.directory import REMOVED, RunDirectory, find_run, storage_error
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.status import Derived, has_open, is_alive, read_state
from lamo_core.system_parts import KILL


def find_checkpoint(text: str | Path, root: Path | None = None) -> Path:
    """Return the file that is meant: a checkpoint, the newest one of a run below `root`, or one on the hub.

    Raises `UsageError`, and as `fetch_policy` does.
    """
    path = Path(text)
    if path.is_file() or path.suffix == ".pt":
        return path  # a missing file gets its sentence from the reader
    if means_repository(str(text)):
        return fetch_policy(str(text))
    run = find_run(text, root)
    if not run.last_checkpoint.is_file():
        way = "wait for its first, or " if read_state(run)[1].active else ""
        raise UsageError(f"run {run.id} has no checkpoint; {way}take another run of `lamo runs`")
    return run.last_checkpoint


def kill_run(run: RunDirectory) -> int:
    """End a run's process at once, without a checkpoint, and return its id; the run is then `lost`.

    A status file may come from elsewhere and name any process: only one that has this very run's log open is ended.
    Raises `UsageError` when no process of this machine works on it, `LamoError` when it may not be killed.
    """
    status, derived = read_state(run)
    if not derived.active or status.pid is None:
        raise UsageError(f"run {run.id} is {derived.state}: no process works on it")
    if status.host != this_host():
        raise UsageError(f"run {run.id} works on {status.host}; kill process {status.pid} there")
    if not is_alive(status.pid, status.pid_started):
        raise UsageError(f"run {run.id} is lost: its process {status.pid} has ended")
    if not has_open(status.pid, run.log_file):
        raise UsageError(
            f"process {status.pid}, which run {run.id} names, does not have its log open, so nothing was ended; if it "
            "is the right one all the same, end it with kill"
        )
    try:
        os.kill(status.pid, KILL)
    except OSError as error:
        raise LamoError(f"could not kill process {status.pid} of run {run.id}: {error.strerror}") from error
    return status.pid


def remove_run(run: RunDirectory) -> None:
    """Delete a run's folder, or the link to it.

    Raises `UsageError` while a process works on it and `StorageError` if it cannot.
    """
    run.read_info()
    require_idle(run)
    # out of sight in one move: a reader never meets half a run
    grave = run.path.with_name(f"{REMOVED}{run.id}")
    try:
        os.replace(run.path, grave)
    except OSError as error:
        raise storage_error(run.path, error) from error
    erase(grave)


def require_idle(run: RunDirectory) -> None:
    """Raise `UsageError` while a process works on the run."""
    _, derived = read_state(run)
    if derived.active:
        raise UsageError(f"run {run.id} is {derived.state}; stop it first with: lamo stop {run.id}")


def erase(path: Path) -> None:
    """Delete a folder for good, or the link to it; raises `StorageError` if it cannot."""
    try:
        if path.is_symlink():
            path.unlink()  # the run itself lies elsewhere and stays
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise storage_error(path, error) from error


def wait_until_idle(run: RunDirectory, seconds: float) -> Derived:
    """Wait until no process works on the run, `seconds` at most, and return its state then."""
    end = time.monotonic() + seconds
    while True:
        _, derived = read_state(run)
        if not derived.active or time.monotonic() >= end:
            return derived
        time.sleep(0.2)
