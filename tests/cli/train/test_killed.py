"""`lamo train` under a real SIGKILL: whenever it comes, `--resume` ends where an undisturbed run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from lamo_core.runs.directory import RunDirectory, find_run
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.reader import read_events
from lamo_core.runs.status import read_state
from lamo_core.training.checkpoint import read_checkpoint

TRAIN = ["train", "--preset", "mujoco-reacher2d-10pct", "--device", "cpu"]
SETTINGS = {
    "model.backbone": "random:mini",
    "optim.steps": 4,
    "optim.batch_size": 4,
    "optim.micro_batch_size": 4,
    "eval.every": 2,
    "eval.episodes": 1,
    "eval.final_episodes": 1,
    "eval.unseen_episodes": 2,
    "checkpoint.every": 2,
    "task.max_steps": 8,
}
CODE = """
import os, signal, sys
import lamo_core.engine.engine as engine, lamo_core.training.loop as loop
moment, sys.argv = sys.argv[1], ["lamo", *sys.argv[2:]]
evaluate, train_step = engine.evaluate, loop._train_step

def die_while_evaluating(*arguments, progress, **options):
    def look(*done):
        progress(*done)
        if moment == f"evaluation {begun.step}" and done[2] >= 4:
            os.kill(os.getpid(), signal.SIGKILL)
    return evaluate(*arguments, progress=look, **options)

def die_before_a_step(session):
    global begun
    begun = session
    if moment == f"step {session.step + 1}":
        os.kill(os.getpid(), signal.SIGKILL)
    return train_step(session)

def loop_of(session, *arguments):
    global begun
    begun = session
    return training_loop(session, *arguments)

training_loop, engine.training_loop = engine.training_loop, loop_of
engine.evaluate, loop._train_step = die_while_evaluating, die_before_a_step
if moment == "preparation":
    engine.run_session = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
from lamo_tui.cli.app import main
main()
"""


def lamo(runs: Path, words: list[str], moment: str = "never") -> int:
    """Run a command that is killed at a moment; returns its exit code."""
    environment = {**os.environ, "LAMO_RUNS": str(runs), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, moment, *words], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def told(run: RunDirectory) -> dict[str, Any]:
    """Return all that a run's files say of its numbers."""
    metrics = MetricsTail(run.metrics_file)
    metrics.poll_all()
    names = [name for name in metrics.names if not name.startswith("time/")]
    found: dict[str, Any] = {
        name: (metrics.series(name).step.tolist(), metrics.series(name).value.tolist()) for name in names
    }
    for event in read_events(run.events_file):
        if event["event"] == "EvalDone":
            scores = [{key: score[key] for key in ("target", "returns", "lengths")} for score in event["scores"]]
            found[f"evaluation {event['step']}"] = (scores, event["final"], event["metrics"])
    return found


def same(left: Any, right: Any) -> bool:
    """Return whether two nests of tensors and plain values are equal."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return torch.equal(left, right) if isinstance(left, torch.Tensor) else left == right


def test_a_run_that_is_killed_again_and_again_ends_as_if_undisturbed(tmp_path: Path) -> None:
    words = [*TRAIN, *(word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}"))]
    lamo(tmp_path / "whole", words)
    moments = ["step 1", "evaluation 2", "evaluation 4"]
    assert lamo(tmp_path / "parts", words, "preparation") == -signal.SIGKILL
    for moment in moments:
        assert lamo(tmp_path / "parts", ["train", "--resume", "last"], moment) == -signal.SIGKILL
    run = find_run("last", tmp_path / "parts")
    assert read_state(run)[1].state == "lost"
    assert read_checkpoint(run.last_checkpoint).step == 4, "nothing that was trained is lost to an evaluation"
    assert lamo(tmp_path / "parts", ["train", "--resume", "last"]) == 0
    undisturbed = find_run("last", tmp_path / "whole")
    assert told(run) == told(undisturbed)
    assert read_state(run)[1].state == "finished"
    for name in ("last.pt", "best.pt", "000002.pt"):
        ours, theirs = (read_checkpoint(each.checkpoints / name) for each in (run, undisturbed))
        assert same([ours.weights, ours.training], [theirs.weights, theirs.training]), name
