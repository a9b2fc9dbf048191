"""What `lamo train` finds out before a run's folder is made, and `--dry-run`, which tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lamo_core.errors import DeviceError, MissingError, UsageError
from lamo_core.install_hint import hint
from lamo_core.tasks import requirements
from lamo_tui.cli.app import app


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def train(*words: str) -> Result:
    return CliRunner().invoke(app, ["train", "--preset", "mujoco-reacher2d-10pct", *words])


def test_a_dry_run_tells_data_work_and_cost_and_writes_nothing(runs: Path) -> None:
    done = train("--ablation", "frozen", "--dry-run")
    facts = dict(line.split(None, 1) for line in done.stdout.split("settings\n")[0].splitlines())
    assert facts["name"] == "mujoco-reacher2d-10pct+frozen"
    assert facts["data"].startswith("10 % of reacher2d-medium: 5 episodes, 500 transitions, mean return 37")
    assert set(facts) >= {"seed", "work", "evaluated", "time", "memory", "disk"}
    assert "model.adapter                      frozen                     ablation frozen" in done.stdout
    assert not runs.exists()


def test_a_dry_run_of_seeds_is_one_json_object(runs: Path) -> None:
    plan = json.loads(train("--seeds", "0-2", "--set", "optim.steps=7", "--dry-run", "--json").stdout)
    assert plan["seeds"] == [0, 1, 2]
    assert plan["config"]["optim"]["steps"] == 7
    assert plan["origins"]["optim.steps"] == "--set"
    assert plan["cost"]["disk_bytes"] > 0
    assert plan["data"]["episodes"] == 5
    assert not runs.exists()


def test_a_run_that_will_never_have_a_checkpoint_is_not_waited_for(runs: Path) -> None:
    from lamo_core.config import RunConfig
    from lamo_core.runs.create import create_run
    from lamo_core.runs.status import Status, write_status

    run = create_run(runs, RunConfig(), {}, ["lamo"])
    write_status(run, Status(state="failed"))
    sentence = str(CliRunner().invoke(app, ["eval", run.id]).exception)
    assert sentence == f"run {run.id} has no checkpoint; take another run of `lamo runs`"


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (["--set", "data.set=hopper-medium"], UsageError, "is for the task mujoco-hopper"),
        (["--device", "mps"], DeviceError, "no Metal device"),
    ],
)
def test_what_cannot_be_trained_leaves_no_folder(
    words: list[str], kind: type[Exception], sentence: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    done = train(*words)
    assert isinstance(done.exception, kind)
    assert sentence in str(done.exception)
    assert not runs.exists()


def test_what_plays_the_task_is_missed_before_there_is_a_folder(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    for words in (["--dry-run"], ["--detach"]):
        error = train(*words).exception
        assert isinstance(error, MissingError)
        assert hint("mujoco") in str(error)
    assert not runs.exists()
    assert train("--dry-run", "--set", "eval.every=0", "--set", "eval.final_episodes=0").exit_code == 0
