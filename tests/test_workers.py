"""Worker processes do jobs, raise errors by type, and are started anew when they crash, hang or answer nonsense."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
from typing import Any

import pytest

from lamo_core.errors import TaskMismatchError
from lamo_core.workers.jobs import JobWorker, Report, WorkerEnded, serve
from lamo_core.workers.messages import ProtocolError, read_message, write_message

ME = [__name__]


def answer(job: dict[str, Any], report: Report) -> Any:
    """Do what a test asks for; runs in the worker."""
    if job["do"] == "fail":
        raise TaskMismatchError("it is for another task", "say which")
    if job["do"] == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if job["do"] == "hang":
        signal.pause()
    if job["do"] == "garbage":
        os.write(3, b"\xff" * 64)
    print("what a library says")  # must not get among the messages
    for done in range(3):
        report("counting", done, 3)
    return {"pid": os.getpid(), "value": job.get("value")}


@pytest.fixture
def worker() -> Any:
    with JobWorker(ME, errors=subprocess.DEVNULL, patience=5.0) as started:
        yield started
    assert started.process is None


def test_a_worker_does_one_job_after_the_other(worker: JobWorker) -> None:
    told: list[tuple[Any, ...]] = []
    value = {"text": "ä \n", "number": float("inf"), "list": [1, 2.5, None]}
    first = worker.run({"do": "answer", "value": value}, lambda *progress: told.append(progress))
    assert told == [("counting", done, 3) for done in range(3)]
    assert first["value"] == value
    with pytest.raises(TaskMismatchError, match="it is for another task; say which"):
        worker.run({"do": "fail"})
    assert worker.run({"do": "answer"})["pid"] == first["pid"]


@pytest.mark.parametrize(("do", "how"), [("crash", "crashed"), ("garbage", "answered what is no message")])
def test_a_worker_that_ends_is_started_anew(worker: JobWorker, do: str, how: str) -> None:
    first = worker.run({"do": "answer"})["pid"]
    with pytest.raises(WorkerEnded, match=how):
        worker.run({"do": do})
    assert worker.process is None
    assert worker.run({"do": "answer"})["pid"] != first


def test_a_worker_that_hangs_is_ended() -> None:
    with JobWorker(ME, errors=subprocess.DEVNULL, patience=60.0) as worker:
        worker.run({"do": "answer"})
        worker._patience = 0.05
        with pytest.raises(WorkerEnded, match="said nothing for 0 s"):
            worker.run({"do": "hang"})
        assert worker.process is None


def test_who_breaks_off_a_job_gets_no_answer_of_it_to_the_next(worker: JobWorker) -> None:
    def interrupt(*progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run({"do": "answer", "value": 1}, interrupt)
    assert worker.run({"do": "answer", "value": 2})["value"] == 2


@pytest.mark.parametrize("lengths", [(1 << 31, 0), (0, 1 << 31)])
def test_a_message_that_is_too_long_is_none(lengths: tuple[int, int]) -> None:
    with pytest.raises(ProtocolError, match="too long"):
        read_message(io.BytesIO(struct.pack(">II", *lengths)))


def test_a_message_comes_as_it_was_sent_and_half_of_one_not_at_all() -> None:
    stream = io.BytesIO()
    write_message(stream, {"kind": "frame", "value": float("nan")}, b"pixels")
    assert read_message(io.BytesIO(stream.getvalue())) == ({"kind": "frame", "value": "NaN"}, b"pixels")
    assert read_message(io.BytesIO(stream.getvalue()[:-1])) is None


if __name__ == "__main__":
    os.dup2(1, 3)  # a way past the channel of messages
    serve(answer)
