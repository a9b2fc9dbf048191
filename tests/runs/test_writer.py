"""What training events become on disk."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from lamo_core.config import EvalConfig
from lamo_core.errors import CheckpointError, StorageError, UsageError
from lamo_core.files import locked
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.reader import read_events
from lamo_core.runs.status import read_state, read_status
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import CheckpointSaved, EvalFailed, Note, Paused, Resumed, Stopped
from tests.runs.run_doubles import FakeClock, eval_done, score, started, step_done


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_whole_run_on_disk(run: RunDirectory) -> None:
    with RunWriter(run, EvalConfig()) as writer:
        writer.write(started(total=2))
        writer.write(step_done(1, loss=float("nan")))
        writer.write(step_done(2, language=3.0))
        writer.write(eval_done(2, score([1.0, 3.0]), score([5.0, 7.0], target=20.0), final=True))
        writer.write(CheckpointSaved(2, 2.0, path="checkpoints/000002.pt", best=True))
        writer.write(Stopped(2, 2.0, reason="finished", message=""))
    first, second, evaluation = _lines(run.metrics_file)
    assert (first["step"], first["k"], first["loss"], first["samples"]) == (1, "train", "NaN", 32)
    assert "loss/language" not in first
    assert (second["loss/language"], second["time/model"]) == (3.0, 0.1)
    assert (evaluation["k"], evaluation["return"], evaluation["return@9"], evaluation["return@20"]) == (
        "eval",
        6,
        2,
        6,
    )
    events = read_events(run.events_file)
    assert [event["event"] for event in events] == ["Started", "EvalDone", "CheckpointSaved", "Stopped"]
    assert events[1]["scores"][0]["returns"] == [1.0, 3.0]
    status, derived = read_state(run)
    assert (derived.state, status.step, status.total, status.last_return) == ("finished", 2, 2, 6.0)
    log = run.log_file.read_text()
    assert "return 6 [5, 7] for target 20" in log
    assert "finished" in log


@pytest.mark.parametrize("put", [0.0, 2 * 86_400.0, -2 * 86_400.0])
def test_status_is_replaced_every_second_whatever_is_done_to_the_clock(run: RunDirectory, put: float) -> None:
    clock, stopwatch = FakeClock(), FakeClock(50.0)
    writer = RunWriter(run, clock=clock, stopwatch=stopwatch)
    writer.write(started())
    stopwatch.now += 0.9
    clock.now += put
    writer.write(step_done(1))
    assert read_status(run).step == 0
    stopwatch.now += 0.2
    writer.write(step_done(2))
    assert read_status(run).step == 2
    writer.write(Note(3, 3.0, text="nothing that a status shows"))
    stopwatch.now += 5
    writer.heartbeat()
    assert read_status(run).heartbeat == clock.now
    assert read_status(run).seconds == pytest.approx(6.1)
    writer.close()


def test_a_status_that_cannot_be_written_is_told_of_once_and_ends_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopwatch = FakeClock()
    with RunWriter(run, stopwatch=stopwatch) as writer:
        writer.write(started())
        with monkeypatch.context() as full_disk:
            full_disk.setattr("lamo_core.runs.writer.write_status", _full)
            for step in range(1, 4):
                stopwatch.now += 2
                writer.write(step_done(step))
            writer.write(eval_done(3, score([1.0])))
        stopwatch.now += 2
        writer.write(step_done(4))
        assert read_status(run).step == 4, "it is tried again"
        with monkeypatch.context() as full_disk:
            full_disk.setattr("lamo_core.runs.writer.write_status", _full)
            writer.write(Stopped(4, 4.0, reason="finished", message=""))
        assert read_status(run).state == "running"
    assert read_status(run).state == "finished", "how it ended is tried again, too"
    assert run.log_file.read_text().count("ignored a status that could not be written; training goes on") == 2
    assert len(_lines(run.metrics_file)) == 5
    assert not list(run.path.rglob("*.part"))


def test_a_run_is_not_taken_over_if_nobody_would_know(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamo_core.runs.writer.write_status", _full)
    with pytest.raises(StorageError, match="no space"):
        RunWriter(run)


def _full(run: RunDirectory, status: object) -> None:
    raise StorageError("no space left")


def test_what_killed_processes_left_in_a_run_is_cleared(run: RunDirectory) -> None:
    old = time.time() - 7200
    left = [run.checkpoints / ".lamo-abcdefgh.part", run.replays / ".lamo-12345678.part"]
    older = [run.checkpoints / "tmpabcd_123.part", run.checkpoints / "last.pt.part", run.path / ".status-77.part"]
    fresh = [run.checkpoints / "tmpffffffff.part", run.checkpoints / "000001.pt", run.path / "mine.part"]
    for path in (*left, *older, *fresh):
        path.write_bytes(b"x")
    for path in older:
        os.utime(path, (old, old))
    with RunWriter(run):
        assert [path.exists() for path in (*left, *older, *fresh)] == [False] * 5 + [True] * 3


def test_a_pause_shows_at_once_and_does_not_count_as_work(run: RunDirectory) -> None:
    clock = FakeClock()
    with RunWriter(run, clock=clock, stopwatch=clock) as writer:
        writer.write(started())
        clock.now += 10
        writer.write(Paused(0, clock.now))
        assert read_state(run)[0].state == "paused"
        clock.now += 1000
        writer.heartbeat()
        assert read_status(run).seconds == 10
        writer.write(Resumed(0, clock.now))
        clock.now += 5
        writer.write(Stopped(0, clock.now, reason="stop", message="asked to stop by SIGINT"))
    status = read_status(run)
    assert (status.state, status.seconds, status.message) == ("stopped", 15, "asked to stop by SIGINT")


def test_a_pause_says_what_the_run_holds_and_what_went_wrong(run: RunDirectory) -> None:
    with RunWriter(run, clock=FakeClock()) as writer:
        writer.write(started())
        writer.write(Paused(3, 1.0))
        assert not read_status(run).freed
        writer.write(Paused(3, 1.0, freed=1_200_000_000))
        assert (read_status(run).freed, read_state(run)[1].state) == (True, "paused")
        writer.write(Paused(3, 1.0, freed=1_200_000_000, message="cuda:0 has less room"))
        assert (read_status(run).freed, read_status(run).message) == (True, "cuda:0 has less room")
        writer.write(Resumed(3, 1.0))
        assert (read_status(run).freed, read_status(run).message) == (False, "")
        writer.write(Stopped(3, 1.0, reason="stop", message=""))
    log = run.log_file.read_text()
    assert "step 3: paused, 1.2 GB of its device given back\n" in log
    assert "step 3: paused, 1.2 GB of its device given back: cuda:0 has less room\n" in log


def test_a_failed_evaluation_is_recorded_and_the_run_goes_on(run: RunDirectory) -> None:
    with RunWriter(run, clock=FakeClock()) as writer:
        writer.write(started())
        writer.write(EvalFailed(3, 1.0, message="the simulator blew up"))
        status = read_status(run)
        assert (status.state, status.message) == (
            "running",
            "the evaluation after step 3 failed: the simulator blew up",
        )
        writer.write(EvalFailed(4, 1.0, message="it blew up", final=True))
        writer.write(Stopped(4, 1.0, reason="evaluation failed", message="it blew up; all steps are saved"))
    assert read_status(run).state == "failed"
    kept = [(event["event"], event.get("message"), event.get("final")) for event in read_events(run.events_file)[1:3]]
    assert kept == [("EvalFailed", "the simulator blew up", False), ("EvalFailed", "it blew up", True)]
    log = run.log_file.read_text()
    assert "step 3: evaluation failed: the simulator blew up; training goes on\n" in log
    assert "step 4: evaluation failed: it blew up; all steps are saved\n" in log
    assert log.count("it blew up") == 1


def test_a_resumed_run_appends_after_half_a_line_and_adds_up_time(run: RunDirectory) -> None:
    clock = FakeClock()
    with RunWriter(run, clock=clock, stopwatch=clock) as writer:
        writer.write(started())
        writer.write(step_done(1))
        writer.write(step_done(2, loss=8.0))
        clock.now += 7
        writer.write(Stopped(2, 2.0, reason="signal", message=""))
    with run.metrics_file.open("a") as file:
        file.write('{"t":1.0,"step":3,"lo')
    clock.now += 100
    with RunWriter(run, clock=clock, stopwatch=clock) as writer:
        writer.write(started(step=1))
        writer.write(step_done(2, loss=9.0))
        clock.now += 3
        writer.write(Stopped(2, 2.0, reason="finished", message=""))
    metrics = MetricsTail(run.metrics_file)
    metrics.poll_all()
    assert metrics.series("loss").step.tolist() == [1, 2]
    assert metrics.series("loss").value.tolist() == [0.5, 9.0]
    status = read_status(run)
    assert (status.seconds, status.started, status.state) == (10.0, 1_000_000.0, "finished")


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (CheckpointError("the checkpoint is cut"), "failed", "the checkpoint is cut"),
        (ValueError("odd"), "failed", "ValueError: odd"),
        (KeyboardInterrupt(), "stopped", "interrupted"),
    ],
)
def test_leaving_by_an_error_is_put_down(run: RunDirectory, error: BaseException, state: str, message: str) -> None:
    def work() -> None:
        with RunWriter(run) as writer:
            writer.write(started())
            raise error

    with pytest.raises(type(error)):
        work()
    assert (read_status(run).state, read_status(run).message) == (state, message)


class FullFile:
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        pass

    def close(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_stops_the_run_with_a_sentence(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with RunWriter(run) as writer:
            writer.write(started())
            full: Any = FullFile()
            files: list[IO[str]] = [full]
            monkeypatch.setattr(writer, "_metrics", full)
            monkeypatch.setattr(writer, "_files", files)
            writer.write(step_done(1))

    with pytest.raises(StorageError, match=r"metrics\.jsonl: No space left on device"):
        work()
    assert read_status(run).state == "failed"
    assert "No space left" in read_status(run).message


def test_a_full_disk_at_the_very_end_does_not_hide_the_first_error(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    def work() -> None:
        with RunWriter(run) as writer:
            writer.write(started())
            monkeypatch.setattr(os, "replace", full)
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        work()


def test_who_takes_a_run_over_waits_for_another_who_does(run: RunDirectory) -> None:
    writers: list[RunWriter] = []
    second = threading.Thread(target=lambda: writers.append(RunWriter(run)))
    with locked(run.status_file.with_suffix(".lock"), "elsewhere"):
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert read_status(run).state == "queued"
    second.join(30)
    assert read_status(run).state == "running"
    writers[0].close()


def test_two_processes_cannot_write_one_run(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = RunWriter(run)
    writer.write(started())
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(UsageError, match=r"is running in process .* lamo stop"):
        RunWriter(run)
    writer.close()


def test_the_status_knows_the_newest_loss_on_unseen_data_until_it_is_void(run: RunDirectory) -> None:
    with RunWriter(run) as writer:
        writer.write(started(total=9))
        writer.write(eval_done(4, score([1.0]), unseen=0.25))
        writer.write(Stopped(4, 4.0, reason="stop", message=""))
    assert read_status(run).held_out_loss == 0.25
    with RunWriter(run) as writer:
        writer.write(replace(started(total=9), step=4))
        assert writer.status.held_out_loss == 0.25
        writer.write(replace(started(total=9), step=2))
        assert writer.status.held_out_loss is None
        writer.write(Stopped(2, 4.0, reason="stop", message=""))
