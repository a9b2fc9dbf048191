"""Runs that wait for a device, and the process that starts them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lamo_core.errors import UsageError
from lamo_core.places import state_dir
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs
from lamo_core.runs.manage import kill_run, wait_until_idle
from lamo_core.runs.queue import runner as queue_runner
from lamo_core.runs.queue import waiting as queues
from lamo_core.runs.queue.devices import device_of
from lamo_core.runs.queue.entry import QueueEntry, read_entry, this_host
from lamo_core.runs.queue.runner import QueueRunner, ensure_runner, runner_process, serve
from lamo_core.runs.queue.waiting import dequeue, enqueue, positions, runner_file
from lamo_core.runs.records import encode
from lamo_core.runs.status import FREED, Status, own_process, read_state, write_status
from tests.runs.queue.test_detach import WORK

MakeRun = Callable[..., RunDirectory]


@pytest.fixture(autouse=True)
def _no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


class Starter:
    """Notes what would be started; the runs then count as working."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, run: RunDirectory, command: Sequence[str]) -> None:
        assert list(command) == ["train", "--adopt", str(run.path)]
        self.ids.append(run.id)
        work(run, device=device_of(run.read_config().device))


def work(run: RunDirectory, state: str = "running", device: str = "cpu") -> None:
    pid, started = own_process()
    now = time.time()
    write_status(run, Status(state, pid, started, host=this_host(), heartbeat=now, device=device))


def runner(root: Path, slots: int = 1) -> tuple[QueueRunner, Starter]:
    starter = Starter()
    return QueueRunner(root, ["train"], slots, start=starter), starter


def test_a_waiting_run_stays_queued_however_long_it_waits(run: RunDirectory) -> None:
    write_status(run, Status("queued", heartbeat=0.0))
    assert read_state(run)[1].state == "lost"
    entry = enqueue(run)
    assert (entry.device, entry.host, read_entry(run)) == ("cpu", this_host(), entry)
    assert read_state(run)[1].state == "queued"
    (summary,) = list_runs()
    assert (summary.state, summary.position, summary.queue) == ("queued", 1, entry)


def test_only_new_runs_can_wait(run: RunDirectory) -> None:
    work(run)
    with pytest.raises(UsageError, match="has begun already"):
        enqueue(run)
    assert not dequeue(run)


def test_positions_count_for_each_device_and_machine() -> None:
    waiting = {
        "c": QueueEntry("cpu", 1.0, "here"),
        "b": QueueEntry("cpu", 3.0, "here"),
        "a": QueueEntry("cpu", 3.0, "here"),
        "g": QueueEntry("cuda:0", 2.0, "here"),
        "o": QueueEntry("cpu", 0.5, "there"),
    }
    assert positions(waiting.items()) == {"c": 1, "a": 2, "b": 3, "g": 1, "o": 1}


def test_one_run_per_device_starts_in_the_order_of_coming(root: Path, make_run: MakeRun) -> None:
    first, second, other = make_run(name="b"), make_run(name="a"), make_run(name="c", device="mps")
    for run in (first, second, other):
        enqueue(run)
    served, starter = runner(root)
    assert served.step()
    assert starter.ids == [first.id, other.id]
    assert served.step()
    work(first, "finished")
    assert not served.step()
    assert starter.ids == [first.id, other.id, second.id]
    assert not any(run.queue_file.exists() for run in (first, second, other))


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_run_that_was_not_queued_takes_its_device_too(root: Path, make_run: MakeRun, state: str) -> None:
    work(make_run(name="other"), state)
    enqueue(make_run(name="waits"))
    served, starter = runner(root)
    assert served.step()
    assert starter.ids == []
    more, starter = runner(root, slots=2)
    assert not more.step()
    assert len(starter.ids) == 1


def test_a_paused_run_that_gave_its_device_back_lets_the_next_one_start(root: Path, make_run: MakeRun) -> None:
    freed = make_run(name="freed")
    work(freed, "paused")
    write_status(freed, replace(read_state(freed)[0], phase=FREED))
    enqueue(make_run(name="waits"))
    enqueue(make_run(name="waits too"))
    served, starter = runner(root)
    assert served.step()
    assert len(starter.ids) == 1
    work(freed, "running")
    assert served.step()
    assert len(starter.ids) == 1, "the first one counts as well as the run that went on"


def test_the_runner_leaves_runs_of_others_alone(root: Path, make_run: MakeRun) -> None:
    enqueue(make_run(), owner="sweep x")
    enqueue(make_run(), host="elsewhere")
    served, starter = runner(root)
    assert not served.step()
    assert starter.ids == []


def test_a_run_taken_out_is_stopped_and_not_started(root: Path, make_run: MakeRun) -> None:
    run = make_run()
    enqueue(run)
    assert dequeue(run)
    status, derived = read_state(run)
    assert (derived.state, status.message) == ("stopped", "taken out of the queue")
    served, starter = runner(root)
    assert not served.step()
    assert starter.ids == []


def test_the_runner_ends_when_nothing_waits_or_another_took_over(root: Path, make_run: MakeRun) -> None:
    run = make_run()
    enqueue(run)
    served, starter = runner(root)
    serve(served, sleep=lambda seconds: None)
    assert starter.ids == [run.id]
    assert not runner_file(root).exists()

    write_status(run, Status("finished"))
    enqueue(make_run())

    def usurp(seconds: float) -> None:
        queue_runner._claim(root, 1)

    served, starter = runner(root)
    serve(served, sleep=usurp)
    assert starter.ids == []


def test_a_run_that_comes_while_the_runner_leaves_is_not_forgotten(root: Path, make_run: MakeRun) -> None:
    late = make_run()
    served, starter = runner(root)
    looks: list[bool] = []
    step = served.step

    def look() -> bool:
        left = step()
        if not looks:
            enqueue(late)  # after the last look, while the runner's file is still there
        looks.append(left)
        return left

    served.step = look  # type: ignore[method-assign]
    serve(served, sleep=lambda seconds: None)
    assert starter.ids == [late.id]


def _until(holds: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_two_that_ask_at_once_share_one_runner(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Slow:
        pid = os.getpid()

        def __init__(self, *given: object, **more: object) -> None:
            started.append(given)
            time.sleep(0.3)

        def wait(self) -> int:
            return 0

    root.mkdir(exist_ok=True)
    monkeypatch.setattr(queue_runner.subprocess, "Popen", Slow)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: ensure_runner(root, ["train"]), range(3))) == {os.getpid()}
    assert len(started) == 1


def test_a_killed_runner_loses_nothing(root: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "device_of", lambda name: "cpu")
    first, second = make_run(name="a"), make_run(name="b")
    enqueue(first)
    enqueue(second)
    # the folder is the last argument, as after --adopt
    work_on = [sys.executable, "-c", WORK.replace("sys.argv[1]", "sys.argv[-1]")]
    pid = ensure_runner(root, work_on)
    assert ensure_runner(root, work_on) == pid
    _until(lambda: read_state(first)[1].state == "running")
    os.kill(pid, signal.SIGKILL)
    _until(lambda: runner_process(root) is None)
    assert read_state(first)[1].state == "running"
    assert read_state(second)[1].state == "queued"
    again = ensure_runner(root, work_on)
    assert again != pid
    kill_run(first)
    _until(lambda: read_state(second)[1].state == "running")
    _until(lambda: runner_process(root) is None)  # nothing waits, so no process is left
    kill_run(second)
    assert wait_until_idle(second, 60).state == "lost"


def test_a_run_that_was_received_is_not_started_by_itself(root: Path, make_run: MakeRun) -> None:
    ours, received = make_run(name="ours"), make_run(name="received")
    entry = enqueue(ours)
    for seal in ("", entry.seal, "é"):  # none, that of another run, and none that ASCII could spell
        received.queue_file.write_text(encode(replace(entry, seal=seal)))
        served, starter = runner(root)
        served.step()
        assert starter.ids in ([ours.id], [])
        assert read_entry(received) is None
    write_status(received, Status("queued", heartbeat=0.0))
    assert {run.id: run.state for run in list_runs()}[received.id] == "lost"
    assert read_state(received)[1].state == "lost"


def test_the_secret_of_the_queue_is_ours_alone_and_made_anew_where_it_is_damaged(run: RunDirectory) -> None:
    secret = state_dir() / "queue.key"
    enqueue(run)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert read_entry(run) is not None
    secret.write_bytes(b"short")
    assert read_entry(run) is None
    enqueue(run)
    assert read_entry(run) is not None
