"""A sweep with real training, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_tiny_sweep_trains_and_is_reported() -> None:
    pytest.importorskip("mujoco")
    lamo = [sys.executable, "-m", "lamo_tui.cli.app"]
    short = ["optim.steps=4", "eval.every=2", "eval.episodes=1", "eval.final_episodes=2", "checkpoint.every=2"]
    words = ["--tasks", "reacher2d:30%", "--ablations", "none,no-pretraining", "--seeds", "2", "--name", "tiny"]
    settings = [word for setting in short for word in ("--set", setting)]
    done = subprocess.run(
        [*lamo, "sweep", *words, *settings, "--device", "cpu", "--yes", "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert [run["state"] for run in runs] == ["done"] * 4
    report = subprocess.run([*lamo, "report", "--sweep", "tiny", "--json"], capture_output=True, text=True)
    assert report.returncode == 0, report.stderr
    assert len(json.loads(report.stdout)["cells"]) == 2
    # all of it is known now, so planning the same again finds nothing to do
    again = subprocess.run(
        [*lamo, "sweep", *words[:-2], *settings, "--device", "cpu", "--dry-run"], capture_output=True, text=True
    )
    assert "0 runs to do, 4 done already" in again.stdout
