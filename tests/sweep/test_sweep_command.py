"""`lamo sweep` as it is typed: plans of some runs' own settings, and sweeps that grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_core.runs.create import create_run
from lamo_core.sweep.folder import find_sweep
from lamo_core.sweep.plan import read_plan
from lamo_tui.cli.sweep import sweep as command
from tests.runs.run_doubles import record


def lamo(*words: str) -> Any:
    result = CliRunner().invoke(command.app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep of two runs of which nothing was started."""
    monkeypatch.setattr("lamo_tui.cli.sweep.sweep_run._work", lambda *given, **named: 0)
    lamo("--tasks", "pong,hopper", "--ratios", "1%", "--seeds", "1", "--set", "optim.steps=4", "--name", "t", "--yes")


def keys() -> list[str]:
    return [run.key for run in read_plan(find_sweep("last")).runs]


def test_a_dry_run_shows_which_settings_each_run_gets() -> None:
    words = ("--tasks", "pong,hopper", "--ratios", "1%", "--methods", "lamo,td3+bc", "--seeds", "2")
    result = lamo(*words, "--set", "td3+bc:optim.steps=5", "--set", "eval.every=0", "--dry-run", "--json")
    runs = json.loads(result.stdout)["plan"]["runs"]
    assert {run["item"]["key"]: run["item"]["settings"] for run in runs if run["item"]["flags"]["seed"] == 0} == {
        "atari-pong-1pct-s0": ["eval.every=0"],
        "mujoco-hopper-1pct-s0": ["eval.every=0"],
        "mujoco-hopper-1pct-td3-bc-s0": ["eval.every=0", "optim.steps=5"],
    }
    assert "td3+bc cannot choose the actions of atari-pong" in result.stderr


def test_a_sweep_grows_by_seeds_and_methods(planned: None) -> None:
    first = keys()
    result = lamo("--resume", "last", "--seeds", "2", "--methods", "dt", "--yes")
    assert "8 runs to do" in result.stdout
    plan = read_plan(find_sweep("t"))
    assert set(first) < set(keys())
    assert len(keys()) == 8
    assert {run.spec.resolve().config.optim.steps for run in plan.runs} == {4}
    lamo("--resume", "last", "--ratios", "10%", "--dry-run")
    assert len(keys()) == 8
    lamo("--resume", "last", "--ratios", "10%", "--yes")
    assert "mujoco-hopper-10pct-dt-s1" in keys()
    lamo("--resume", "last")
    assert len(keys()) == 16


def test_what_every_run_of_a_sweep_has_stays(planned: None) -> None:
    with pytest.raises(UsageError, match="keeps its --set"):
        lamo("--resume", "last", "--set", "optim.steps=9")
    with pytest.raises(UsageError, match="keeps its --device"):
        lamo("--resume", "last", "--device", "cpu", "--seeds", "3")
    with pytest.raises(UsageError, match="add --yes"):
        lamo("--resume", "last", "--seeds", "3")
    assert len(keys()) == 2


def test_the_status_says_what_is_left(planned: None, root: Path) -> None:
    resolved = read_plan(find_sweep("t")).runs[0].spec.resolve()
    record(create_run(root, resolved.config, resolved.origins, ["lamo"]), [1.0])
    values = json.loads(lamo("status", "last", "--json").stdout)
    assert values["left"]["unknown"] == 0
    assert values["left"]["seconds"] > 0
    assert "2 waiting; 2 left, " in lamo("status", "t").stderr
