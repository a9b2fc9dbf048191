"""Presets from both ends of every task's shares of data train and are evaluated; losses fall."""

from __future__ import annotations

import json
import math

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_tui.benchmarks.recipes import RecipeResult, extreme_presets, run_recipes
from lamo_tui.cli import benchmark

QUICK = [
    *("optim.batch_size=4", "optim.micro_batch_size=4", "model.context=3", "model.backbone=random:mini"),
    "task.max_steps=30",
]


def results(presets: list[str], steps: int, extra: list[str]) -> list[RecipeResult]:
    return list(run_recipes(presets, steps, extra, lambda stage, done, total: None))


def test_every_task_has_its_least_and_most_data() -> None:
    names = extreme_presets()
    assert len(names) == 18
    assert {"kitchen-partial-1pct", "kitchen-partial-100pct", "atari-pong-0.1pct", "mujoco-hopper-100pct"} <= set(names)
    assert extreme_presets("reacher2d") == ["mujoco-reacher2d-10pct", "mujoco-reacher2d-100pct"]


def test_a_preset_that_works_and_one_that_does_not() -> None:
    pytest.importorskip("mujoco")
    good, bad = results(["mujoco-reacher2d-10pct", "no-such-preset"], 6, QUICK)
    assert good.ok, good.message
    assert good.episodes == 5
    assert math.isfinite(good.first_loss + good.last_loss + good.mean_return)
    assert not bad.ok
    assert "no preset 'no-such-preset'" in bad.message


def test_the_command_fails_when_a_preset_does(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(benchmark.recipes)
    monkeypatch.setattr(
        "lamo_tui.benchmarks.recipes.run_recipes",
        lambda presets, *rest: [RecipeResult(name, name != presets[0], 1.0, message="why") for name in presets],
    )
    done = CliRunner().invoke(app, ["--match", "hopper", "--json"])
    assert done.exit_code == 1
    assert [row["ok"] for row in json.loads(done.stdout)["results"]] == [False, True]
    assert "why" in CliRunner().invoke(app, ["--match", "hopper"]).stdout
    refused = CliRunner().invoke(app, ["--match", "chess"])
    assert isinstance(refused.exception, UsageError)


@pytest.mark.recipes
@pytest.mark.parametrize("preset", extreme_presets())
def test_200_steps_and_an_evaluation(preset: str) -> None:
    (result,) = results([preset], 200, [])
    assert result.ok, result.message
    assert result.last_loss < result.first_loss
    assert math.isfinite(result.mean_return)
