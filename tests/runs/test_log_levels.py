"""The levels of log lines: of every sentence that a writer can write, and of what libraries print between them."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

import pytest

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.log.levels import log_levels
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Changed, CheckpointSaved, EvalFailed, Event, Note, Paused, Resumed, Stopped
from tests.runs.run_doubles import eval_done, score, started


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (started(), "info"),
        (eval_done(1200, score([1.0, 3.0]), final=True), "info"),
        (CheckpointSaved(1200, 2.0, path="error/000002.pt", best=True), "info"),
        (EvalFailed(1200, 2.0, message="the simulator blew up"), "error"),
        (Paused(3, 1.0), "info"),
        (Paused(3, 1.0, freed=10**9), "info"),
        (Paused(3, 1.0, freed=10**9, message="cuda:0 has less room"), "warning"),
        (Resumed(3, 1.0), "info"),
        (Changed(3, 1.0, name="eval.every", value=50), "info"),
        (Note(3, 1.0, text="ignored x.json in the control folder: it holds none of pause, resume"), "warning"),
        (Stopped(1500, 2.0, reason="finished", message=""), "info"),
        (Stopped(1500, 2.0, reason="stop", message="asked to stop by lamo stop"), "info"),
        (Stopped(1500, 2.0, reason="signal", message="SIGTERM"), "warning"),
        (Stopped(1500, 2.0, reason="error", message="no space"), "error"),
        (Stopped(1500, 2.0, reason="evaluation failed", message="the simulator blew up"), "error"),
        (Stopped(1500, 2.0, reason="non-finite loss", message="lower the rate"), "error"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_the_level_of_what_the_writer_says(run: RunDirectory, event: Event, level: str) -> None:
    writer = RunWriter(run)
    writer.write(event)
    writer.close()
    assert log_levels(run.log_file.read_text().splitlines()) == [level]


def test_the_level_of_how_a_run_ends_early(run: RunDirectory) -> None:
    with pytest.raises(ValueError, match="seven"), RunWriter(run):
        raise ValueError("seven")
    assert log_levels(run.log_file.read_text().splitlines()) == ["error"]


def test_a_run_that_was_interrupted_is_no_error(run: RunDirectory) -> None:
    with pytest.raises(KeyboardInterrupt), RunWriter(run):
        raise KeyboardInterrupt
    assert log_levels(run.log_file.read_text().splitlines()) == ["warning"]


def test_what_python_prints_has_the_level_of_its_first_line() -> None:
    program = "import warnings\nwarnings.warn('old')\nprint('fine', flush=True)\nraise ValueError('two\\nlines')\n"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    levels = dict(zip(lines, log_levels(lines), strict=True))
    assert levels["fine"] == "info"
    assert levels["Traceback (most recent call last):"] == levels["ValueError: two"] == "error"
    assert all(level == "error" for line, level in levels.items() if line.startswith("  File"))
    assert next(level for line, level in levels.items() if "UserWarning: old" in line) == "warning"


def test_lines_below_a_warning_belong_to_it() -> None:
    shown = warnings.formatwarning("old", DeprecationWarning, "/x/y.py", 3, "    call()").splitlines()
    assert log_levels([*shown, "evaluating 0/5"]) == ["warning"] * len(shown) + ["info"]


def test_other_writers() -> None:
    record = logging.LogRecord("torch", logging.WARNING, "x.py", 1, "slow", None, None)
    lines = {
        logging.Formatter(logging.BASIC_FORMAT).format(record): "warning",
        "ERROR:root:broken": "error",
        "[W1121 16:30:08.12 file.cpp:12] Warning: slow": "warning",
        "lamo: no CUDA device is visible to PyTorch; use --device cpu": "error",
        "lamo: interrupted": "warning",
        "step 998/1,500  loss 0.02797  return 434.9  4.87 steps/s": "info",
        "loading PyTorch": "info",
        "run 20261121-014402-error-s0-k3f9": "info",
        "": "info",
    }
    assert log_levels(lines) == list(lines.values())
