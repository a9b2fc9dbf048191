"""The sweep of targets that the dashboard has played, in a process of its own. Knows nothing of Textual."""

from __future__ import annotations

import os
from collections.abc import Callable

from lamo_core.errors import UsageError
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.target_sweep_file import AskedReturns, parse_asked, read_asked
from lamo_core.workers.conversation import Hear, WorkerProcess
from lamo_core.workers.messages import Header
from lamo_tui.replay.player_client import Link

NewAsking = Callable[[RunDirectory, Hear], Link]
"""Starts the process for a run."""


def start_asking(run: RunDirectory, hear: Hear) -> Link:
    """Start the process that asks a run's policy for returns."""
    words = ["lamo_core.player.target_sweep_worker", str(run.path)]
    return WorkerProcess(hear, words, "the process", "<asked.again> asks again")


class Job:
    """One sweep: how far it is, and what came of it. What is heard comes in another thread."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.link: Link | None = None
        self.working = True
        self.done = self.total = self.steps = 0
        """Episodes done, episodes in all, decisions."""
        self.found: AskedReturns | None = None
        self.problem = ""

    def take(self, header: Header) -> None:
        """Take in what the process says."""
        kind = header.get("kind")
        if kind == "progress":
            self.done, self.total, self.steps = (int(header[name]) for name in ("done", "total", "steps"))
            return
        if kind == "done":
            self.found, self.problem = parse_asked(header["found"]), str(header["note"])
        else:
            self.problem = str(header.get("text", "it has ended"))
        self.working = False


class Desk:
    """At most one sweep plays at a time; `heard` is called in another thread whenever there is news of it."""

    def __init__(self, heard: Callable[[], object], start: NewAsking = start_asking) -> None:
        self._heard, self._start = heard, start
        self.job: Job | None = None
        self._read: AskedReturns | None = None
        self._read_stamp: tuple[object, ...] = ()

    @property
    def working(self) -> bool:
        """Whether one plays."""
        return self.job is not None and self.job.working

    def job_of(self, run: RunDirectory) -> Job | None:
        """Return the newest sweep of this time if it is of this run."""
        return self.job if self.job is not None and self.job.run.path == run.path else None

    def found(self, run: RunDirectory) -> AskedReturns | None:
        """Return what the run's policy achieved: just now, or what the run keeps; None before the first time."""
        job = self.job_of(run)
        return job.found if job is not None and job.found is not None else self._kept_by(run)

    def _kept_by(self, run: RunDirectory) -> AskedReturns | None:
        """Return what the run keeps; its file is read again only when it is another one."""
        try:
            stat = os.stat(run.asked_file)
        except OSError:
            return None
        stamp = (run.path, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if stamp != self._read_stamp:
            self._read_stamp, self._read = stamp, read_asked(run)
        return self._read

    def begin(self, run: RunDirectory) -> None:
        """Ask the run's newest policy, unless that is under way; raises `UsageError`."""
        if self.working and self.job is not None:
            if self.job_of(run) is not None:
                return
            way = "wait for it, or stop it with <*.asked>, <asked.stop> there"
            raise UsageError(f"{self.job.run.id} is being asked for returns; {way}")
        if not run.last_checkpoint.is_file():
            raise UsageError(f"{run.id} has no checkpoint yet: nothing can be asked for returns before its first one")
        self.stop()
        job = self.job = Job(run)

        def hear(header: Header, payload: bytes) -> None:
            if job.working:
                job.take(header)
                self._heard()

        job.link = self._start(run, hear)

    def stop(self) -> None:
        """End the process."""
        if self.job is None:
            return
        if self.job.working:
            self.job.working, self.job.problem = False, "stopped: <asked.again> asks again"
        if self.job.link is not None:
            self.job.link.close()
            self.job.link = None
