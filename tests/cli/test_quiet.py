"""`lamo train` and `lamo eval` as commands: no library warns of what it will drop, and nothing hides such warnings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.families.tiny_models import save_tiny

LAMO = [sys.executable, "-W", "default", "-m", "lamo_tui.cli.app"]
SETTINGS = (
    "optim.steps=2 optim.batch_size=2 optim.micro_batch_size=2 eval.every=1 eval.episodes=1 eval.final_episodes=1 "
    "eval.unseen_episodes=0 checkpoint.every=1 task.max_steps=8"
)


def test_training_and_evaluating_warn_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a trunk of transformers; GPT-2's is our own."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    save_tiny("llama", {}, tmp_path / "model")
    settings = [f"--set={setting}" for setting in (*SETTINGS.split(), f"model.backbone={tmp_path / 'model'}")]
    said = lamo("train", "--preset", "mujoco-reacher2d-10pct", "--device", "cpu", *settings)
    said += lamo("eval", "last", "--episodes", "1")
    assert "final evaluation" in said
    for word in ("warn", "deprecated", "removed in"):
        assert word not in said.lower(), said


def lamo(*words: str) -> str:
    done = subprocess.run([*LAMO, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
