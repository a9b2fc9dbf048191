"""`lamo train --resume` of runs that have nothing left to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamo_core.engine.engine import save_checkpoint
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.reader import read_events
from lamo_core.runs.writer import RunWriter
from lamo_core.settings.presets import resolve
from lamo_core.training.events import Stopped
from lamo_core.training.session import new_session
from lamo_tui.cli.app import app
from tests.runs.run_doubles import started

SETTINGS = ["model.backbone=random:mini", "optim.steps=1", "eval.final_episodes=0", "eval.every=0"]


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run that says that it has finished, with its last checkpoint."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    config = resolve("mujoco-reacher2d-10pct", settings=[*SETTINGS, "eval.unseen_episodes=0"]).config
    run = create_run(tmp_path / "runs", config, {}, ["lamo", "train"])
    session = new_session(dataclasses.replace(config, device="cpu"))
    session.step = 1
    save_checkpoint(session, run.checkpoints, best=False)
    with RunWriter(run) as writer:
        writer.write(started(total=1))
        writer.write(Stopped(1, 4.0, reason="finished", message=""))
    return run


def test_a_finished_run_is_not_evaluated_once_more(done: RunDirectory) -> None:
    before = done.events_file.read_bytes()
    result = CliRunner().invoke(app, ["train", "--resume", done.id])
    assert "has done all of its 1 step;" in str(result.exception)
    assert "--set optim.steps=2" in str(result.exception)
    assert done.events_file.read_bytes() == before


def test_a_finished_run_goes_on_when_it_gets_more_steps(done: RunDirectory) -> None:
    result = CliRunner().invoke(app, ["train", "--resume", done.id, "--set", "optim.steps=2"])
    assert result.exit_code == 0, result.exception
    assert (done.checkpoints / "000002.pt").is_file()


def test_what_a_continued_run_does_otherwise_is_recorded(done: RunDirectory) -> None:
    words = ["train", "--resume", done.id, "--set", "optim.steps=2", "--set", "eval.action=greedy"]
    assert CliRunner().invoke(app, words).exit_code == 0
    changed = [event for event in read_events(done.events_file) if event["event"] == "Changed"]
    assert [(event["step"], event["name"], event["value"]) for event in changed] == [
        (1, "optim.steps", 2),
        (1, "eval.action", "greedy"),
    ]
    assert "step 1: eval.action = greedy" in done.log_file.read_text()
