"""Jobs for a worker process: one after the other, with progress, results and errors by type.

A job and a result are plain JSON. The worker ends with its input, so it cannot outlive a parent that was killed.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, cast

from lamo_core import errors
from lamo_core.errors import LamoError
from lamo_core.workers.messages import Header, ProtocolError, read_message, write_message
from lamo_core.workers.process import message_channel, start_python

Report = Callable[..., None]
"""Called with what a job says of its progress."""

_ERRORS: dict[str, type[LamoError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, LamoError)
}


class WorkerEnded(Exception):
    """A worker that did not finish its job; the text says how it ended, in a verb and what belongs to it."""


class JobWorker:
    """A worker for several jobs, started when there is one, and anew after a crash. Use it in a `with` block."""

    def __init__(self, words: Sequence[str], *, errors: int | None = None, patience: float | None = None) -> None:
        """`words` and `errors` are those of `start_python`; after `patience` seconds without news it counts as hung."""
        self._words, self._errors, self._patience = words, errors, patience
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> JobWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def run(self, job: Header, report: Report | None = None) -> Any:
        """Do a job and return its result; raises its `LamoError`, and `WorkerEnded`.

        A worker is ended when it fails otherwise, or when `report` raises, so that its next answer is to the next job.
        """
        process = self.process or self._start()
        answer: Header = {}
        try:
            assert process.stdin is not None
            write_message(process.stdin, job, encode=json.dumps)
            while not answer:
                header = self._next(process)
                if "progress" not in header:
                    answer = header
                elif report is not None:
                    report(*header["progress"])
        except BrokenPipeError as error:
            raise WorkerEnded("ended") from error
        finally:
            if not answer:
                self.end()
        if "error" in answer:
            raise _ERRORS.get(answer["error"], LamoError)(*answer["arguments"])
        return answer["result"]

    def end(self) -> None:
        """End the worker, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self.process = start_python(self._words, errors=self._errors, OMP_NUM_THREADS="1")
        return self.process

    def _next(self, process: subprocess.Popen[bytes]) -> Header:
        # past the buffer, which hides from `select` what it holds
        stream = cast(io.FileIO, cast(io.BufferedReader, process.stdout).raw)
        try:
            message = read_message(stream, self._patience)
        except TimeoutError as error:
            raise WorkerEnded(f"said nothing for {self._patience:.0f} s") from error
        except ProtocolError as error:
            raise WorkerEnded("answered what is no message") from error
        if message is None:
            raise WorkerEnded("crashed")
        return message[0]


def serve(answer: Callable[[Header, Report], Any]) -> None:
    """Be a worker: answer jobs from standard input until it ends; `answer` may raise `LamoError`."""
    # Ctrl-C in a terminal reaches every process; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = message_channel()

    def send(header: Header) -> None:
        write_message(channel, header, encode=json.dumps)

    try:
        while (message := read_message(sys.stdin.buffer)) is not None:
            send(_answered(answer, message[0], lambda *progress: send({"progress": progress})))
    except BrokenPipeError:  # the parent is gone
        os._exit(0)


def _answered(answer: Callable[[Header, Report], Any], job: Header, report: Report) -> Header:
    try:
        return {"result": answer(job, report)}
    except LamoError as error:
        return {"error": type(error).__name__, "arguments": [str(part) for part in error.args]}
