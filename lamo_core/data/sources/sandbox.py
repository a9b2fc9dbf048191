"""Reads files that can crash the library which reads them, in a worker process with a limit on its memory.

Jobs go to `hdf5_worker` as one JSON line each, reports come back the same way, as `replay` does it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lamo_core.data.sources.download import Progress
from lamo_core.errors import (
    DamagedDataError,
    LamoError,
    MissingError,
    StorageError,
    TaskMismatchError,
    UnsupportedDataError,
    UsageError,
)
from lamo_core.untrusted.parsing import parse_json

SILENCE = 300.0
"""Seconds without a report after which the library hangs."""
_ERRORS: dict[str, type[LamoError]] = {
    kind.__name__: kind
    for kind in (DamagedDataError, UnsupportedDataError, TaskMismatchError, MissingError, StorageError, UsageError)
}


class IsolatedReader:
    """One worker for several jobs, started anew after a crash. Use it in a `with` block."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, job: dict[str, Any], path: Path, progress: Progress | None = None) -> dict[str, Any]:
        """Do a job and return what it found out; `path` is the file that it reads.

        Raises `DataError`, also when the library crashes or hangs, and the other errors of the job.
        """
        process = self._process or self._start()
        try:
            stdin, stdout = _pipes(process)
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            while True:
                message = self._next(stdout, path)
                if "progress" in message and progress is not None:
                    progress(*message["progress"])
                if "result" in message:
                    return dict(message["result"])
                if "error" in message:
                    raise _ERRORS.get(message["error"], LamoError)(*message["arguments"])
        except BrokenPipeError as error:
            self._end()
            raise _crashed(path, "ended") from error
        except KeyboardInterrupt:
            self._end()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        paths = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        self._received = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lamo_core.data.sources.hdf5_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        return self._process

    def _next(self, stdout: IO[bytes], path: Path) -> dict[str, Any]:
        while b"\n" not in self._received:
            if not select.select([stdout], [], [], SILENCE)[0]:
                self._end()
                raise _crashed(path, f"said nothing for {SILENCE:.0f} s")
            block = os.read(stdout.fileno(), 65_536)
            if not block:
                self._end()
                raise _crashed(path, "crashed")
            self._received += block
        line, _, self._received = self._received.partition(b"\n")
        return dict(parse_json(line))

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def read_isolated(job: dict[str, Any], path: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Do one job in a worker of its own; see `IsolatedReader.run`."""
    with IsolatedReader() as reader:
        return reader.run(job, path, progress)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    return process.stdin, process.stdout


def _crashed(path: Path, how: str) -> DamagedDataError:
    return DamagedDataError(f"{path} is damaged: the HDF5 library {how} while reading it")
