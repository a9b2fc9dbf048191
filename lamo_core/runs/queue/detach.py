"""Runs that outlive the terminal: the parent makes the folder and starts a process, which then takes it over."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lamo_core.errors import UsageError
from lamo_core.files import write_bytes
from lamo_core.runs.directory import ELSEWHERE, RunDirectory, storage_error
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.queue.waiting import leave
from lamo_core.runs.records import encode
from lamo_core.runs.status import process_start, read_state
from lamo_core.untrusted.regular_file import open_regular


def launch(run: RunDirectory, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Start `command` as a process of its own session for a queued run, and return its id at once.

    Its output goes to the run's log.txt; closing the terminal does not reach it. `command` must take the run
    over with `adopt`; `environment` is added to ours. Raises `StorageError` when the log cannot be written.
    """
    try:
        with open_regular(run.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=os.getcwd(),
                env={**os.environ, **(environment or {})},
            )
    except OSError as error:
        raise storage_error(run.log_file, error) from error
    reap(process)
    # the status file belongs to the new process from now on, so its id is noted in a file apart
    note = {"pid": process.pid, "pid_started": process_start(process.pid), "host": this_host()}
    write_bytes(run.launch_file, (encode(note) + "\n").encode(), ELSEWHERE)
    return process.pid


def reap(process: subprocess.Popen[bytes]) -> None:
    """Let a process that may outlive this one go on by itself, and see to it that nothing of it stays when it ends.

    How it ends is nobody's business here, but until somebody asks, the system keeps its remains (`<defunct>`).
    """
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()


def adopt(path: str | Path) -> RunDirectory:
    """Return the queued run in this folder for the calling process to work on; raises `UsageError` if it is not so."""
    run = RunDirectory(Path(os.path.abspath(path)))
    run.read_info()
    status, derived = read_state(run)
    if status.state != "queued":
        hint = f"resume it with: lamo train --resume {run.id}"
        raise UsageError(f"run {run.id} has begun already ({derived.state}); {hint}")
    leave(run)
    return run
