"""The process that starts waiting runs, one per device, and ends when none waits any more.

    python -m lamo_core.runs.queue.runner ROOT SLOTS COMMAND...

COMMAND is what trains; `--adopt FOLDER` is added to it. All that the runner knows lies in the run folders, so killing
it loses nothing: runs that work go on, and the next runner takes over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lamo_core.errors import LamoError
from lamo_core.files import locked, write_bytes
from lamo_core.runs.directory import ELSEWHERE, RunDirectory, storage_error
from lamo_core.runs.index import RunIndex, RunSummary
from lamo_core.runs.queue.detach import launch, reap
from lamo_core.runs.queue.devices import device_of
from lamo_core.runs.queue.entry import QUEUE, read_entry, this_host
from lamo_core.runs.queue.waiting import leave, runner_file
from lamo_core.runs.records import decode, encode, number
from lamo_core.runs.status import is_alive, own_process, process_start

_POLL_SECONDS = 1.0

Launch = Callable[[RunDirectory, Sequence[str]], object]


def runner_process(root: Path) -> int | None:
    """Return the id of the living runner of a folder on this machine; None when there is none."""
    values = _read(root)
    pid = values.get("pid")
    return pid if isinstance(pid, int) and is_alive(pid, number(values.get("pid_started"))) else None


def ensure_runner(root: Path, train: Sequence[str], slots: int = 1) -> int:
    """Start a runner for the folder unless one lives; returns its process id. Raises `StorageError`."""
    pid = runner_process(root)
    if pid is not None:
        return pid
    root = Path(os.path.abspath(root))
    # two that put a run in at once must not both find none
    with locked(runner_file(root).with_suffix(".lock"), ELSEWHERE):
        return runner_process(root) or _start_runner(root, train, slots)


def _start_runner(root: Path, train: Sequence[str], slots: int) -> int:
    log = runner_file(root).with_suffix(".log")
    command = [sys.executable, "-m", "lamo_core.runs.queue.runner", str(root), str(slots), *train]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
    except OSError as error:
        raise storage_error(log, error) from error
    reap(process)
    _claim(root, process.pid)
    return process.pid


class QueueRunner:
    """Looks at a folder again and again and starts what may start."""

    def __init__(self, root: Path, train: Sequence[str], slots: int = 1, *, start: Launch = launch) -> None:
        self.root = root
        self._train = list(train)
        self._slots = slots
        self._start = start
        self._index = RunIndex(root)

    def step(self) -> bool:
        """Start the runs whose device is free; returns whether any still waits.

        A device is taken by every run of the folder that works on it, also by a paused one, unless that gave its
        memory back. When it goes on, it takes the device again, beside whatever was started there meanwhile.
        """
        runs = self._index.poll()
        waiting = sorted(
            ((entry.entered, run.id, run, entry.device) for run in runs for entry in [self._entry(run)] if entry),
        )
        taken = Counter(_device(run) for run in runs if _holds_device(run))
        left = False
        for _, _, run, device in waiting:
            if taken[device] >= self._slots:
                left = True
                continue
            taken[device] += 1
            self._launch(run.run)
        return left

    def _entry(self, run: RunSummary) -> Any:
        # read again: since the list was made it may have been taken out
        entry = read_entry(run.run) if run.queue is not None else None
        return entry if entry is not None and (entry.owner, entry.host) == (QUEUE, this_host()) else None

    def _launch(self, run: RunDirectory) -> None:
        try:
            self._start(run, [*self._train, "--adopt", str(run.path)])
            leave(run)
            print(f"{time.strftime('%F %T')} started {run.id}", flush=True)
        except LamoError as error:
            print(f"{time.strftime('%F %T')} {error}", flush=True)


def serve(runner: QueueRunner, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Work until nothing waits, or another runner has taken over."""
    pid, _ = own_process()
    _claim(runner.root, pid)
    while True:
        sleep(_POLL_SECONDS)
        if _read(runner.root).get("pid") != pid:
            return
        if runner.step():
            continue
        # whoever puts a run in from here on finds no runner and starts one; what came before is seen by this look
        runner_file(runner.root).unlink(missing_ok=True)
        if not runner.step():
            return
        _claim(runner.root, pid)


def _holds_device(run: RunSummary) -> bool:
    return run.derived.active and run.queue is None and not run.status.freed


def _device(run: RunSummary) -> str:
    return device_of(run.status.device or str(run.settings.get("device") or "auto"))


def _claim(root: Path, pid: int) -> None:
    note = {"pid": pid, "pid_started": process_start(pid), "host": this_host()}
    write_bytes(runner_file(root), (encode(note) + "\n").encode(), ELSEWHERE)


def _read(root: Path) -> dict[str, Any]:
    try:
        return decode(runner_file(root).read_bytes()) or {}
    except OSError:
        return {}


def main(arguments: Sequence[str]) -> None:
    """Serve the folder named first, with so many runs per device at once as named second."""
    root, slots, *train = arguments
    serve(QueueRunner(Path(root), train, int(slots)))


if __name__ == "__main__":
    main(sys.argv[1:])
