"""Presets from both ends of every task's shares of data train and are evaluated; losses fall."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.errors import DataError, StorageError, UsageError
from lamo_tui.benchmarks.recipes import RecipePlan, RecipeResult, extreme_presets, run_recipes
from lamo_tui.cli import benchmark

QUICK = (
    *("optim.batch_size=4", "optim.micro_batch_size=4", "model.context=3", "model.backbone=random:mini"),
    "task.max_steps=30",
)


def results(presets: list[str], plan: RecipePlan, kept: Path | None = None) -> list[RecipeResult]:
    return list(run_recipes(presets, plan, lambda stage, done, total: None, kept))


def stand_in(preset: str, plan: RecipePlan, folder: Path) -> RecipeResult:
    return RecipeResult(preset, preset != "bad", float(plan.steps), 3, 2.0, 1.0, math.nan, "")


def test_every_task_has_its_least_and_most_data() -> None:
    names = extreme_presets()
    assert len(names) == 18
    assert {"kitchen-partial-1pct", "kitchen-partial-100pct", "atari-pong-0.1pct", "mujoco-hopper-100pct"} <= set(names)
    assert extreme_presets("reacher2d") == ["mujoco-reacher2d-10pct", "mujoco-reacher2d-100pct"]
    assert extreme_presets("kitchen-*-1pct") == ["kitchen-partial-1pct"]


def test_a_preset_that_works_and_one_that_does_not() -> None:
    pytest.importorskip("mujoco")
    bad, good = results(["no-such-preset", "mujoco-reacher2d-10pct"], RecipePlan(6, QUICK))
    assert good.ok, good.message
    assert good.episodes == 5
    assert math.isfinite(good.first_loss + good.last_loss + good.mean_return)
    assert not bad.ok
    assert "no preset 'no-such-preset'" in bad.message


def test_what_takes_too_long_is_a_failure() -> None:
    (slow,) = results(["kitchen-complete-30pct"], RecipePlan(6, QUICK, minutes=0.005))
    assert not slow.ok
    assert "0.005 minutes" in slow.message


def test_kept_results_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept.jsonl"
    monkeypatch.setattr("lamo_tui.benchmarks.recipes._run", stand_in)
    first = results(["good", "bad"], RecipePlan(6), kept)
    with kept.open("a") as file:
        file.write('{"steps": 6, "pre')  # a crash while writing
    ran: list[str] = []
    monkeypatch.setattr("lamo_tui.benchmarks.recipes._run", lambda *given: (ran.append(given[0]), stand_in(*given))[1])
    again = results(["good", "bad", "new"], RecipePlan(6), kept)
    assert ran == ["bad", "new"]
    assert again[0].seconds == first[0].seconds
    results(["good", "new"], RecipePlan(7), kept)
    assert ran == ["bad", "new", "good", "new"]
    results(["good", "new"], RecipePlan(6), kept)
    assert len(ran) == 4


def test_other_files_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamo_tui.benchmarks.recipes._run", stand_in)
    other = tmp_path / "notes.txt"
    other.write_text("dear diary\n")
    with pytest.raises(DataError, match="something else"):
        results(["good"], RecipePlan(6), other)
    assert other.read_text() == "dear diary\n"
    with pytest.raises(StorageError, match="--out FILE"):
        results(["good"], RecipePlan(6), tmp_path / "absent" / "kept.jsonl")


def test_the_command_fails_when_a_preset_does(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(benchmark.recipes)
    monkeypatch.setattr(
        "lamo_tui.cli.benchmark.run_recipes",
        lambda presets, *rest: [RecipeResult(name, name != presets[0], 1.0, message="why") for name in presets],
    )
    done = CliRunner().invoke(app, ["--only", "hopper", "--json"])
    assert done.exit_code == 1
    outcome = json.loads(done.stdout)
    assert [row["ok"] for row in outcome["results"]] == [False, True]
    assert outcome["failed"] == ["mujoco-hopper-0.5pct"]
    assert "why" in CliRunner().invoke(app, ["--only", "hopper"]).stdout
    refused = CliRunner().invoke(app, ["--only", "chess"])
    assert isinstance(refused.exception, UsageError)


@pytest.mark.recipes
@pytest.mark.parametrize("preset", extreme_presets())
def test_200_steps_and_an_evaluation(preset: str) -> None:
    (result,) = results([preset], RecipePlan())
    assert result.ok, result.message
    assert result.last_loss < result.first_loss
    assert math.isfinite(result.mean_return)
