"""The whole way of a user in a real terminal: start, watch, lose the terminal, come back, stop, replay, leave."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.tui.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {
        "LAMO_CONFIG": "none.toml",
        "LAMO_STATE": str(tmp_path / "state"),
        "LAMO_CACHE": str(tmp_path / "cache"),
        "LAMO_RUNS": str(tmp_path / "runs"),
        "PYTHONPATH": str(Path.cwd()),
    }


def open_dashboard(folder: Path, variables: dict[str, str], *words: str) -> Terminal:
    folder.mkdir()
    terminal = Terminal(folder, 120, 40)
    terminal.wait_for("ready>")
    where = " ".join(f"{name}={value}" for name, value in variables.items())
    terminal.type(f"{where} {sys.executable} -m lamo_tui.cli.app tui {' '.join(words)}", "Enter")
    return terminal


def only_run(variables: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "lamo_tui.cli.app", "runs", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, timeout=120)
    (run,) = json.loads(done.stdout)["runs"]
    return dict(run)


def wait_for(what: str, variables: dict[str, str], seconds: float = 180, **wanted: Any) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run = only_run(variables)
        if all(run[name] == value if name != "step" else run[name] >= value for name, value in wanted.items()):
            return run
        time.sleep(0.5)
    raise AssertionError(f"{what} did not happen: {only_run(variables)}")


def test_start_watch_lose_the_terminal_come_back_stop_replay_leave(tmp_path: Path, variables: dict[str, str]) -> None:
    first = open_dashboard(tmp_path / "first", variables)
    try:
        first.wait_for("Welcome to lamo")
        first.type("3")
        first.wait_for("atari-breakout-1pct --detach")
        first.type("Enter")
        first.wait_for("R running")
        wait_for("training", variables, step=5)
        assert "/900 steps" in first.wait_for("action loss")
    finally:
        first.close()
    step = only_run(variables)["step"]
    run = wait_for("training without a terminal", variables, step=step + 10)
    assert run["state"] == "running"
    second = open_dashboard(tmp_path / "second", variables, "--attach", "last")
    try:
        second.wait_for("R running")
        second.type("s")
        second.wait_for("Stop this run?")
        second.type("y")
        wait_for("stopping", variables, state="stopped")
        second.wait_for("S stopped")
        second.type("P")
        second.wait_for("asked", 120)
        second.type("q")
        second.wait_for("ready>")
        assert not second.alternate()
        assert "Traceback" not in second.text()
        second.type("echo back $((40 + 2))", "Enter")
        second.wait_for("back 42")
    finally:
        second.close()
    end = time.monotonic() + 15
    while (left := processes_of(tmp_path)) and time.monotonic() < end:
        time.sleep(0.5)
    assert not left


def processes_of(folder: Path) -> list[int]:
    """Return the processes of this user that work with the runs in a folder, such as a player that was left behind."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LAMO_RUNS", "").startswith(str(folder)):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
