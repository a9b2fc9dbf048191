"""Reading of files that can crash the library which reads them: in a worker process with a limit on its memory."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from lamo_core.data.sources.download import Progress
from lamo_core.errors import DamagedDataError
from lamo_core.workers.jobs import JobWorker, WorkerEnded

SILENCE = 300.0
"""Seconds without a report after which the library hangs."""


class IsolatedReader:
    """One worker for several jobs, started anew after a crash. Use it in a `with` block."""

    def __init__(self) -> None:
        self.worker = JobWorker(["lamo_core.data.sandbox.hdf5_worker"], errors=subprocess.DEVNULL, patience=SILENCE)

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.worker.end()

    def run(self, job: dict[str, Any], path: Path, progress: Progress | None = None) -> dict[str, Any]:
        """Do a job and return what it found out; `path` is the file that it reads.

        Raises `DataError`, also when the library crashes or hangs, and the other errors of the job.
        """
        try:
            return dict(self.worker.run(job, progress))
        except WorkerEnded as how:
            raise DamagedDataError(f"{path} is damaged: the HDF5 library {how} while reading it") from how


def read_isolated(job: dict[str, Any], path: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Do one job in a worker of its own; see `IsolatedReader.run`."""
    with IsolatedReader() as reader:
        return reader.run(job, path, progress)
