"""How a plan is worked off, with processes that only pretend to train."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lamo_core.errors import UsageError
from lamo_core.runs.index import list_runs
from lamo_core.runs.manage import kill_run
from lamo_core.runs.status import process_start, read_state
from lamo_core.sweep import folder as sweep_folder
from lamo_core.sweep.engines import LocalEngine, Slot
from lamo_core.sweep.folder import Journal, SweepFolder, find_sweep
from lamo_core.sweep.plan import Plan, PlannedRun, read_plan
from lamo_core.sweep.scheduler import Scheduler, look
from tests.sweep.conftest import TRAIN, MakeSweep


def scheduler(folder: SweepFolder, plan: Plan, jobs: int = 2) -> Scheduler:
    working = [folder.run(view.record.run) for view in look(folder, plan) if view.state == "working"]
    return Scheduler(folder, plan, LocalEngine([Slot(1)] * jobs, TRAIN, working), argv=["lamo", "sweep"])


def until(holds: Callable[[], Any], step: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        step()
        time.sleep(0.02)


def states(folder: SweepFolder, plan: Plan) -> dict[str, str]:
    return {view.key.removeprefix("atari-pong-1pct"): view.state for view in look(folder, plan)}


def test_a_plan_is_worked_off_and_what_fails_is_tried_once_more(make_sweep: MakeSweep) -> None:
    folder, plan = make_sweep(["none", "frozen", "no-lora"])
    work = scheduler(folder, plan)
    assert states(folder, plan) == {"-s0": "waiting", "+frozen-s0": "waiting", "+no-lora-s0": "waiting"}
    until(lambda: work.over, work.step)
    assert states(folder, plan) == {"-s0": "done", "+frozen-s0": "done", "+no-lora-s0": "failed"}
    records = {view.key.removeprefix("atari-pong-1pct"): view.record for view in look(folder, plan)}
    assert (records["+frozen-s0"].failures, records["+no-lora-s0"].failures) == (1, 2)
    assert records["+no-lora-s0"].note == "it was to be"
    # the second attempt goes on in the same folder
    assert len(list_runs()) == 3
    assert work.counts == {"done": 2, "failed": 1, "working": 0, "waiting": 0}

    again = scheduler(folder, plan)
    assert again.over  # nothing is done twice
    assert again.counts["failed"] == 1


def test_a_killed_scheduler_loses_nothing(make_sweep: MakeSweep, root: Path) -> None:
    folder, plan = make_sweep(seeds=[0, 1, 2])
    root.mkdir(exist_ok=True)
    (root / "hold").touch()
    first = scheduler(folder, plan)
    first.step()
    until(lambda: list(states(folder, plan).values()).count("working") == 2)
    del first  # as if it were killed: its processes go on

    second = scheduler(folder, plan)
    second.step()
    assert sorted(states(folder, plan).values()) == ["waiting", "working", "working"]
    assert len(list_runs()) == 2
    (root / "hold").unlink()
    until(lambda: second.over, second.step)
    assert set(states(folder, plan).values()) == {"done"}
    assert [read_state(run.run)[1].state for run in list_runs()] == ["finished"] * 3


def test_killed_runs_go_on_from_their_checkpoint(make_sweep: MakeSweep, root: Path) -> None:
    folder, plan = make_sweep(seeds=[0])
    (root / "hold").touch()
    first = scheduler(folder, plan)
    first.step()
    (run,) = list_runs()
    until(lambda: run.run.last_checkpoint.is_file())
    kill_run(run.run)
    until(lambda: read_state(run.run)[1].state == "lost")
    (root / "hold").unlink()
    second = scheduler(folder, plan)  # nobody watched it die, so that is no failure
    until(lambda: second.over, second.step)
    record = Journal(folder).record("atari-pong-1pct-s0")
    assert (record.event, record.run, record.failures) == ("done", run.id, 0)
    events = [line for line in folder.journal_file.read_text().splitlines() if '"resumed"' in line]
    assert len(events) == 1


def test_a_run_killed_before_its_first_checkpoint_begins_again(make_sweep: MakeSweep, root: Path) -> None:
    folder, plan = make_sweep(seeds=[0])
    (root / "hold").touch()
    work = scheduler(folder, plan)
    work.step()
    (run,) = list_runs()
    until(lambda: run.run.last_checkpoint.is_file())
    kill_run(run.run)
    until(lambda: read_state(run.run)[1].state == "lost")
    run.run.last_checkpoint.unlink()
    (root / "hold").unlink()
    until(lambda: work.over, work.step)
    record = Journal(folder).record("atari-pong-1pct-s0")
    # a process that dies under the eyes of the sweep counts as a failure, so that none is started for ever
    assert (record.event, record.run, record.failures) == ("done", run.id, 1)


def test_stopping_saves_and_resuming_goes_on(make_sweep: MakeSweep, root: Path) -> None:
    folder, plan = make_sweep(seeds=[0, 1, 2])
    (root / "hold").touch()
    work = scheduler(folder, plan)
    work.step()
    until(lambda: list(states(folder, plan).values()).count("working") == 2)
    until(lambda: work.over, lambda: (work.stop(), work.step()))
    assert sorted(states(folder, plan).values()) == ["stopped", "stopped", "waiting"]
    (root / "hold").unlink()
    again = scheduler(folder, plan)
    until(lambda: again.over, again.step)
    assert set(states(folder, plan).values()) == {"done"}


def test_half_a_line_in_the_journal_does_no_harm(make_sweep: MakeSweep) -> None:
    folder, plan = make_sweep()
    with folder.journal_file.open("a") as file:
        file.write('{"item":"atari-pong-1pct-s0","event":"fai')
    work = scheduler(folder, plan)
    until(lambda: work.over, work.step)
    assert set(states(folder, plan).values()) == {"done"}
    assert Journal(folder).record("atari-pong-1pct-s0").event == "done"


def test_settings_that_no_longer_read_do_not_stop_the_others(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamo_core.sweep import scheduler as module

    folder, plan = make_sweep(seeds=[0, 1])
    settings = module.planned_settings

    def gone(run: PlannedRun) -> Any:
        if run.spec.seed == 0:
            raise UsageError("there is no setting 'optim.stpes'")
        return settings(run)

    monkeypatch.setattr(module, "planned_settings", gone)
    work = scheduler(folder, plan)
    until(lambda: work.over, work.step)
    assert work.counts["failed"] == work.counts["done"] == 1
    assert "no setting" in Journal(folder).record("atari-pong-1pct-s0").note


def test_only_one_process_works_on_a_sweep(make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = make_sweep()
    folder.claim()
    folder.claim()
    assert folder.worker() == os.getpid()
    monkeypatch.setattr("lamo_core.sweep.folder.own_process", lambda: (1, 1.0))
    with pytest.raises(UsageError, match="works on sweep trial"):
        folder.claim()
    folder.release()
    assert folder.worker() is None


def test_of_two_processes_that_start_at_once_one_works(make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = make_sweep()
    living = queue.SimpleQueue[tuple[int, float | None]]()
    for pid in (os.getpid(), os.getppid()):
        living.put((pid, process_start(pid)))
    write = sweep_folder.write_bytes
    monkeypatch.setattr(sweep_folder, "own_process", living.get)
    monkeypatch.setattr(sweep_folder, "write_bytes", lambda *given: (time.sleep(0.3), write(*given)))

    def claim(_: int) -> bool:
        try:
            folder.claim()
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(claim, range(2))) == [False, True]


COMMAND = """
import sys
import lamo_tui.train_process
from lamo_tui.cli import app
from tests.sweep.conftest import TRAIN
lamo_tui.train_process.TRAIN = TRAIN
app.main()
"""


def test_the_command_survives_being_killed(root: Path) -> None:
    words = ["--tasks", "pong", "--ratios", "1%", "--seeds", "2", "--name", "trial", "--jobs", "2", "--yes"]
    root.mkdir()
    (root / "hold").touch()
    first = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "sweep", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: (root / "sweeps/trial/plan.json").exists() and len(list_runs()) == 2)
    folder = find_sweep("trial")
    plan = read_plan(folder)
    until(lambda: list(states(folder, plan).values()) == ["working", "working"])
    first.send_signal(signal.SIGKILL)
    printed, _ = first.communicate()
    assert "2 runs to do" in printed
    assert list(states(folder, plan).values()) == ["working", "working"]
    (root / "hold").unlink()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "sweep", "--resume", "last", "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert '"exit_code":0' in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(states(folder, plan).values()) == ["done", "done"]
    status = subprocess.run(
        [sys.executable, "-c", COMMAND, "sweep", "status"], capture_output=True, text=True, check=True
    )
    assert "2 done" in status.stdout
