"""Runs that outlive the terminal, tried on real processes."""

from __future__ import annotations

import os
import pty
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lamo_core.errors import LamoError, UsageError
from lamo_core.runs.control import send
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.manage import kill_run, remove_run, wait_until_idle
from lamo_core.runs.queue.detach import adopt, launch
from lamo_core.runs.queue.entry import read_launch
from lamo_core.runs.status import Derived, process_start, read_state, read_status
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Stopped

WORK = """
import os, sys, time
from lamo_core.runs.control import ControlInbox, Command
from lamo_core.runs.queue.detach import adopt
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Stopped

run = adopt(sys.argv[1])
print("a line of output", os.getsid(0) == os.getpid(), flush=True)
inbox = ControlInbox(run.control)
with RunWriter(run) as writer:
    while True:
        time.sleep(0.02)
        writer.heartbeat()
        for command in inbox.poll():
            if command.name == "stop":
                writer.write(Stopped(3, time.time(), reason="stop", message="asked"))
                sys.exit(75)
"""


def _until(run: RunDirectory, holds: Callable[[Derived], bool]) -> Derived:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        _, derived = read_state(run)
        if holds(derived):
            return derived
        time.sleep(0.02)
    raise AssertionError(f"still {derived.state}: {run.log_file.read_text()}")


def test_a_detached_run_lives_in_its_own_session_and_can_be_stopped(run: RunDirectory) -> None:
    pid = launch(run, [sys.executable, "-c", WORK, str(run.path)])
    launched = read_launch(run)
    assert launched is not None
    assert launched["pid"] == pid
    assert _until(run, lambda derived: derived.state != "queued").state == "running"
    assert read_status(run).pid == pid
    assert "a line of output True" in run.log_file.read_text()
    with pytest.raises(UsageError, match="stop it first"):
        remove_run(run)
    with pytest.raises(UsageError, match=r"has begun already \(running\)"):
        adopt(run.path)
    send(run, "stop")
    assert wait_until_idle(run, 60).state == "stopped"
    remove_run(run)
    assert not run.path.exists()
    assert os.listdir(run.path.parent) == []


def test_a_run_survives_the_terminal_it_was_started_from(run: RunDirectory) -> None:
    child, terminal = pty.fork()
    if child == 0:  # a process whose terminal is the new one, like a shell
        try:
            launch(run, [sys.executable, "-c", WORK, str(run.path)])
            time.sleep(600)
        finally:
            os._exit(0)
    assert _until(run, lambda derived: derived.state != "queued").state == "running"
    os.close(terminal)  # its whole session gets SIGHUP
    os.waitpid(child, 0)
    pid = read_status(run).pid
    assert pid is not None
    assert process_start(pid) is not None
    assert kill_run(run) == pid
    assert wait_until_idle(run, 60).state == "lost"


def test_a_process_that_dies_before_it_begins_leaves_a_lost_run(run: RunDirectory) -> None:
    launch(run, [sys.executable, "-c", "raise SystemExit('no such thing')"])
    assert _until(run, lambda derived: derived.state != "queued").state == "lost"
    assert "no such thing" in run.log_file.read_text()


def test_nothing_stays_of_a_process_that_has_ended_while_its_parent_lives(run: RunDirectory) -> None:
    pid = launch(run, [sys.executable, "-c", ""])
    end = time.monotonic() + 60
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)


def test_nothing_can_be_killed_where_nothing_runs(run: RunDirectory) -> None:
    with RunWriter(run) as writer:
        writer.write(Stopped(0, 0.0, reason="finished", message=""))
    with pytest.raises(UsageError, match="is finished: no process works on it"):
        kill_run(run)


def test_only_runs_can_be_removed(run: RunDirectory) -> None:
    with pytest.raises(LamoError, match="is no run"):
        remove_run(RunDirectory(run.path.parent))
    assert run.path.exists()


def test_of_a_linked_run_the_link_is_removed(run: RunDirectory, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / run.id
    link.parent.mkdir()
    link.symlink_to(run.path, target_is_directory=True)
    with RunWriter(run) as writer:
        writer.write(Stopped(0, 0.0, reason="finished", message=""))
    remove_run(RunDirectory(link))
    assert os.listdir(link.parent) == []
    assert run.run_file.exists()
