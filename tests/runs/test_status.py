"""States are derived from what is true, not believed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.status import (
    EvalPoint,
    Status,
    derive,
    is_alive,
    own_process,
    parse_status,
    process_start,
    read_state,
    read_status,
    write_status,
)

NOW = 1_000_000.0


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told to end."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def _running(pid: int | None, started: float | None, **changes: Any) -> Status:
    values: dict[str, Any] = {"heartbeat": NOW, "host": this_host(), "rate": 2.0} | changes
    return Status(state="running", pid=pid, pid_started=started, **values)


def test_a_living_process_is_running_and_a_killed_one_is_lost(child: subprocess.Popen[bytes]) -> None:
    status = _running(child.pid, process_start(child.pid))
    assert derive(status, now=NOW).state == "running"
    child.kill()
    while process_start(child.pid) is not None:  # killed, not yet waited for: only a zombie is left then
        time.sleep(0.01)
    assert child.returncode is None
    assert derive(status, now=NOW).state == "lost"
    child.wait()
    assert derive(status, now=NOW).state == "lost"


def test_another_process_with_the_same_id_is_not_the_run(child: subprocess.Popen[bytes]) -> None:
    started = process_start(child.pid)
    assert started is not None
    assert is_alive(child.pid, started + 0.5)
    assert not is_alive(child.pid, started - 3600)
    assert not is_alive(child.pid, None)
    assert derive(_running(child.pid, started - 3600), now=NOW).state == "lost"


@pytest.mark.skipif(sys.platform != "linux", reason="the start of the machine is put forward as Linux tells it")
def test_a_clock_put_right_loses_no_run(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    status, started = _running(child.pid, process_start(child.pid)), psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: started + 500)
    assert psutil.Process(child.pid).create_time() > time.time() + 400, "the change reaches psutil"
    assert derive(status, now=NOW).state == "running"


def test_a_living_run_without_heartbeat_is_stalled() -> None:
    pid, started = own_process()
    derived = derive(_running(pid, started), now=NOW + 45)
    assert (derived.state, derived.stalled_seconds, derived.active) == ("stalled", 45, True)
    assert derive(_running(pid, started), now=NOW + 29).state == "running"
    assert derive(_running(pid, started), now=NOW - 500).state == "running", "clocks may jump back"


def test_what_has_not_taken_a_step_yet_may_be_silent_for_longer() -> None:
    preparing = _running(*own_process(), rate=None)
    assert derive(preparing, now=NOW + 170).state == "running"
    assert derive(preparing, now=NOW + 190).state == "stalled"


def test_paused_needs_a_living_process() -> None:
    pid, started = own_process()
    paused = Status(state="paused", pid=pid, pid_started=started, host=this_host(), heartbeat=NOW)
    assert derive(paused, now=NOW).state == "paused"
    assert derive(Status(state="paused", heartbeat=NOW), now=NOW).state == "lost"


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_an_end_needs_no_process(state: str) -> None:
    assert derive(Status(state=state), now=NOW).state == state
    assert not derive(Status(state=state), now=NOW).active


def test_a_run_of_another_machine_is_judged_by_its_heartbeat() -> None:
    there = _running(1, 1.0, host="elsewhere")
    assert derive(there, now=NOW + 10).state == "running"
    assert derive(there, now=NOW + 100).state == "stalled"
    assert derive(there, now=NOW + 1000).state == "lost"


def test_a_queued_run_is_lost_when_its_process_died_or_never_came(child: subprocess.Popen[bytes]) -> None:
    queued = Status(state="queued", heartbeat=NOW)
    launch = {"pid": child.pid, "pid_started": process_start(child.pid), "host": this_host()}
    assert derive(queued, now=NOW + 1).state == "queued"
    assert derive(queued, now=NOW + 60).state == "lost"
    assert derive(queued, now=NOW + 60, launch=launch).state == "queued"
    child.kill()
    child.wait()
    assert derive(queued, now=NOW + 1, launch=launch).state == "lost"


def test_a_status_survives_the_disk(run: RunDirectory) -> None:
    status = Status(
        state="running",
        pid=3,
        pid_started=4.5,
        step=6,
        total=7,
        rate=float("inf"),
        loss=0.25,
        evaluations=(EvalPoint(5, 1.5, 2.0), EvalPoint(6, float("inf"), 3.0)),
        message="ä",
    )
    write_status(run, status)
    assert read_status(run) == status
    assert [path.name for path in run.path.iterdir() if path.name.endswith(".part")] == []


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
_names = st.sampled_from([*Status.__dataclass_fields__, "unknown"])


@settings(deadline=None)
@given(st.dictionaries(_names, _json), st.dictionaries(st.sampled_from(["pid", "host", "pid_started"]), _json))
def test_any_status_file_has_a_state(values: dict[str, Any], launch: dict[str, Any]) -> None:
    status = parse_status(values)
    derive(status, now=NOW, alive=lambda pid, started: False, launch=launch)
    assert isinstance(status.step, int)
    assert isinstance(status.message, str)


@pytest.mark.parametrize("pid", [-5, 0, 10**30])
def test_an_absurd_process_id_is_no_living_process(run: RunDirectory, pid: int) -> None:
    run.status_file.write_text(f'{{"state": "running", "pid": {pid}, "pid_started": 1, "step": 1{400 * "0"}}}')
    status, derived = read_state(run)
    assert (derived.state, status.step) == ("lost", 0)


def test_a_missing_or_damaged_status_is_lost(run: RunDirectory) -> None:
    run.status_file.write_text('{"state": "runn')
    assert read_state(run)[1].state == "lost"
    os.unlink(run.status_file)
    assert read_state(run)[1].state == "lost"
