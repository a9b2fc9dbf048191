"""`lamo tui` as it is typed: one picture, refusals, no torch, and the whole of it in a real terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal

LAMO = [sys.executable, "-m", "lamo_tui.cli.app"]


def run_lamo(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LAMO_CONFIG": "none.toml", "LAMO_STATE": "none", **variables}
    return subprocess.run([*LAMO, *words], capture_output=True, text=True, env=environment, timeout=120)


def test_once_prints_a_picture_and_loads_no_torch(made_folder: Path) -> None:
    code = (
        "import sys; from lamo_tui.cli.tui import tui; from pathlib import Path; "
        f"tui(runs=Path({str(made_folder)!r}), once=True, attach='k3f9', screen_size='100x30'); "
        "heavy = {'torch', 'transformers', 'ale_py', 'gymnasium'} & set(sys.modules); print('heavy:', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "LAMO_CONFIG": "none.toml", "LAMO_STATE": "none"},
    )
    assert done.returncode == 0, done.stderr
    assert "action loss" in done.stdout
    assert "heavy: []" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_without_a_terminal_it_says_what_to_use_instead(made_folder: Path) -> None:
    done = run_lamo("tui", "--runs", str(made_folder))
    assert done.returncode == 2
    assert "lamo tui --once" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--attach", "nosuchrun"], "there is no run 'nosuchrun'"),
        (["--color", "pink"], "--color wants one of"),
        (["--once", "--size", "big"], "--size wants columns x rows"),
    ],
)
def test_wrong_words_are_one_sentence(made_folder: Path, words: list[str], sentence: str) -> None:
    done = run_lamo("tui", "--runs", str(made_folder), *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_after_an_error_that_nobody_expected_the_dashboard_goes_on(made_folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text(
        "from lamo_tui.dashboard.app import LamoApp\n"
        "LamoApp.action_next_theme = lambda self: {}['what nobody expected']\n"
        "from lamo_tui.cli.app import main\n"
        "main()\n"
    )
    terminal = Terminal(tmp_path)
    try:
        terminal.wait_for("ready>")
        where = f"LAMO_CONFIG=none.toml LAMO_STATE={tmp_path} LAMO_CACHE={tmp_path / 'cache'} PYTHONPATH={Path.cwd()}"
        terminal.type(f"{where} {sys.executable} {program} tui --runs {made_folder}; echo code=$?", "Enter")
        terminal.wait_for("F finished")
        terminal.type("C-t")
        shown = terminal.wait_for("(KeyError")
        assert "something here could not be shown" in shown
        assert "Traceback" not in shown
        assert terminal.alternate()
        terminal.type("q")
        assert "Traceback" not in terminal.wait_for("code=0")
        assert "what nobody expected" in (tmp_path / "cache" / "dashboard-error.txt").read_text()
    finally:
        terminal.close()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_a_terminal_it_starts_shows_a_run_and_leaves_no_trace(folder: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from lamo_core.runs.directory import RunDirectory
    from lamo_core.runs.status import own_process, read_status, write_status

    run = RunDirectory(folder / "20261121-014402-atari-breakout-1pct-s0-k3f9")
    pid, started = own_process()
    write_status(run, replace(read_status(run), pid=pid, pid_started=started, heartbeat=time.time()))
    terminal = Terminal(tmp_path)
    try:
        terminal.wait_for("ready>")
        terminal.type(
            f"LAMO_CONFIG=none.toml LAMO_STATE={tmp_path} {sys.executable} -m lamo_tui.cli.app tui --runs {folder}",
            "Enter",
        )
        terminal.wait_for("R running")
        assert terminal.alternate()
        terminal.type("Enter")
        terminal.wait_for("action loss")
        terminal.resize(80, 24)
        terminal.wait_for("charts  events  log")
        terminal.type("q")
        shown = terminal.wait_for("stop it:")
        assert "lamo tui --attach 20261121-014402" in shown
        assert "Traceback" not in shown
        assert not terminal.alternate()
        terminal.type("echo back $((40 + 2))", "Enter")
        terminal.wait_for("back 42")
    finally:
        terminal.close()


@pytest.mark.parametrize("screen", ["runs", "run", "new", "data", "matrix", "help"])
def test_every_screen_can_be_written_as_a_picture(made_folder: Path, tmp_path: Path, screen: str) -> None:
    picture = tmp_path / f"{screen}.svg"
    done = run_lamo("tui", "--runs", str(made_folder), "--once", "--screen", screen, "--svg", str(picture))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(picture)
    assert "<svg" in picture.read_text()


def test_a_screen_that_does_not_exist_is_refused(made_folder: Path) -> None:
    done = run_lamo("tui", "--runs", str(made_folder), "--once", "--screen", "rnu")
    assert done.returncode == 2
    assert "did you mean 'run'?" in done.stderr


def test_the_list_of_runs_comes_up_without_numpy() -> None:
    code = "import sys, lamo_tui.dashboard.app; sys.exit(str({'numpy', 'psutil'} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_an_error_in_a_picture_is_a_sentence_beside_it(made_folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text(
        "from lamo_tui.screens.runs.runs import RunsScreen\n"
        "RunsScreen.on_mount = lambda self: {}['what nobody expected']\n"
        "from lamo_tui.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, str(program), "tui", "--runs", str(made_folder), "--once"],
        capture_output=True,
        text=True,
        env={**os.environ, "LAMO_CONFIG": "none.toml", "LAMO_STATE": "none", "LAMO_CACHE": str(tmp_path / "cache")},
        timeout=120,
    )
    assert done.returncode == 0
    assert "finished" in done.stdout
    assert "something here could not be shown (KeyError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "what nobody expected" in (tmp_path / "cache" / "dashboard-error.txt").read_text()
