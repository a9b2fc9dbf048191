"""A run directory from its making to its end: written, read while it grows, waited for in the queue, steered, lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lamo_core.config import RunConfig
from lamo_core.runs.control import Command, ControlInbox, send
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory, find_run
from lamo_core.runs.index import list_runs
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.pack import pack_run
from lamo_core.runs.queue.detach import launch
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.queue.runner import QueueRunner
from lamo_core.runs.queue.waiting import dequeue, enqueue
from lamo_core.runs.reader import read_events
from lamo_core.runs.status import Status, own_process, read_state, read_status, write_status
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import CheckpointSaved, Stopped
from tests.runs.run_doubles import eval_done, record, score, started, step_done


@pytest.fixture
def root(places: Path) -> Path:
    """The folder of runs."""
    return places / "runs"


def make(root: Path, name: str) -> RunDirectory:
    return create_run(root, RunConfig.from_dict({"name": name, "device": "cpu"}), {"seed": "--set"}, ["lamo", "train"])


def work(run: RunDirectory) -> None:
    """Note that this process works on the run."""
    pid, started_at = own_process()
    write_status(run, Status("running", pid, started_at, host=this_host(), heartbeat=time.time(), device="cpu"))


def test_what_is_written_is_read_while_it_grows(root: Path) -> None:
    run = make(root, "grows")
    tail = MetricsTail(run.metrics_file)
    with RunWriter(run) as writer:
        writer.write(started(total=4))
        for step in range(1, 4):
            writer.write(step_done(step, loss=1 / step))
        tail.poll_all()
        assert tail.series("loss").value.tolist() == [1, 1 / 2, 1 / 3]
        assert read_state(run)[1].state == "running"
        writer.write(step_done(4, loss=0.25))
        writer.write(eval_done(4, score([1.0, 3.0]), final=True))
        writer.write(CheckpointSaved(4, 4.0, "checkpoints/000004.pt", True))
        writer.write(Stopped(4, 4.0, reason="finished", message=""))
    tail.poll_all()
    assert tail.series("loss").step.tolist() == [1, 2, 3, 4]
    assert [event["event"] for event in read_events(run.events_file)] == [
        "Started",
        "EvalDone",
        "CheckpointSaved",
        "Stopped",
    ]
    (summary,) = list_runs(root)
    assert (summary.state, summary.status.step, summary.status.last_return) == ("finished", 4, 2.0)
    assert find_run("last", root).id == run.id


def test_a_packed_run_reads_as_the_one_it_came_from(root: Path, tmp_path: Path) -> None:
    run = record(make(root, "packed"), [5.0, 7.0])
    packed = pack_run(run, tmp_path / "elsewhere")
    assert read_events(packed.events_file) == read_events(run.events_file)
    assert read_status(packed).last_return == 6.0


def test_runs_wait_for_the_device_and_start_in_turn(root: Path) -> None:
    begun: list[str] = []

    def start(run: RunDirectory, command: Sequence[str]) -> None:
        begun.append(run.id)
        work(run)

    runs = [make(root, name) for name in ("a", "b", "c")]
    for run in runs:
        enqueue(run)
    assert [run.position for run in sorted(list_runs(root), key=lambda run: run.settings["name"])] == [1, 2, 3]
    runner = QueueRunner(root, ["train"], 1, start=start)
    assert runner.step()
    assert begun == [runs[0].id]
    assert dequeue(runs[1])
    write_status(runs[0], replace(read_status(runs[0]), state="finished"))
    assert not runner.step()
    assert begun == [runs[0].id, runs[2].id]


def test_a_run_is_steered_through_its_folder(root: Path) -> None:
    run = make(root, "steered")
    work(run)
    inbox = ControlInbox(run.control)
    send(run, "set", "eval.every", "200")
    send(run, "stop")
    commands = inbox.poll()
    assert [command.name for command in commands if isinstance(command, Command)] == ["set", "stop"]
    assert inbox.poll() == []


def test_a_run_whose_process_is_gone_is_lost(root: Path) -> None:
    run = make(root, "lost")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        pass
    write_status(run, Status("running", gone.pid, 1.0, host=this_host(), heartbeat=time.time()))
    assert read_state(run)[1].state == "lost"


def test_a_process_of_its_own_writes_the_log(root: Path) -> None:
    run = make(root, "detached")
    launch(run, [sys.executable, "-c", "print('it works')"])
    end = time.monotonic() + 30
    while "it works" not in run.log_file.read_text() and time.monotonic() < end:
        time.sleep(0.05)
    assert "it works" in run.log_file.read_text()
