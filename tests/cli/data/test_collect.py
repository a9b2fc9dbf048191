"""`lamo data collect` for any task, from recording to training to evaluating, as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from lamo_core.errors import LamoError, MissingError, UsageError
from lamo_tui.cli.app import app
from tests.data.sources.made_sources import box, minari_episodes, write_minari

SMALL = [
    *("--set", "optim.batch_size=8", "--set", "model.context=5", "--set", "optim.warmup_steps=5"),
    *("--set", "eval.every=0", "--set", "eval.final_episodes=2", "--set", "model.backbone=random:mini"),
]


@pytest.fixture
def lamo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    for name in ("LAMO_CACHE", "LAMO_RUNS", "LAMO_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return app


def run(lamo: typer.Typer, *words: str) -> Result:
    result = CliRunner().invoke(lamo, list(words))
    if isinstance(result.exception, LamoError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_random_play_of_any_environment_is_trained_on_and_evaluated(lamo: typer.Typer, tmp_path: Path) -> None:
    made = json.loads(
        run(lamo, "data", "collect", "gym:CartPole-v1", "--policy", "random", "--transitions", "300", "--json").stdout
    )
    assert made["set"] == "cartpole-v1-random"
    assert made["transitions"] >= 300
    listed = {row["name"]: row for row in json.loads(run(lamo, "data", "list", "--json").stdout)["sets"]}
    assert listed["cartpole-v1-random"]["source"] == "collected"
    assert "random" in run(lamo, "data", "show", "cartpole-v1-random").stdout
    run(lamo, "data", "export", "cartpole-v1-random", "--out", str(tmp_path / "out"))
    back = json.loads(run(lamo, "data", "import", str(tmp_path / "out/lamo/cartpole-v1-random-v0"), "--json").stdout)
    assert (back["task"], back["transitions"]) == ("gym:CartPole-v1", made["transitions"])

    run(lamo, "train", "--set", "data.set=cartpole-v1-random", "--set", "optim.steps=50", *SMALL)
    table = run(lamo, "eval", "last", "--episodes", "2").stdout
    assert "nan" not in table
    assert "random play" not in table
    scored = json.loads(run(lamo, "eval", "last", "--episodes", "2", "--json").stdout)
    assert scored["task"]["id"] == "CartPole-v1"
    assert 2 <= scored["scores"][0]["mean"] <= 500
    assert "normalised -" in run(lamo, "runs", "show", "last").stdout
    run(lamo, "report")

    again = run(lamo, "data", "collect", "gym:CartPole-v1", "--policy", "last", "--transitions", "30", "--json")
    assert json.loads(again.stdout)["set"] == "cartpole-v1-policy"
    card = json.loads(run(lamo, "data", "show", "cartpole-v1-policy", "--json").stdout)
    assert "cartpole-v1-random" in card["behaviour_sources"][0]
    with pytest.raises(UsageError, match="was trained for gym:CartPole-v1"):
        run(lamo, "data", "collect", "gym:Acrobot-v1", "--policy", "last")


def test_who_plays_must_be_said_once(lamo: typer.Typer) -> None:
    with pytest.raises(UsageError, match="--policy random"):
        run(lamo, "data", "collect", "gym:CartPole-v1")
    with pytest.raises(UsageError, match="either --policy or --train"):
        run(lamo, "data", "collect", "gym:CartPole-v1", "--policy", "random", "--train", "ppo")
    with pytest.raises(UsageError, match="give --out"):
        run(lamo, "data", "collect", "kitchen-complete")
    with pytest.raises(UsageError, match="CartPole"):
        run(lamo, "data", "collect", "gym:CartPol-v1", "--policy", "random")


def test_a_set_that_does_not_say_its_task_wants_one(lamo: typer.Typer, tmp_path: Path) -> None:
    arguments = (minari_episodes((4,), 5, 1), box((5,), -1, 1), box((1,), -1, 1))
    folder = write_minari(tmp_path / "elsewhere", "mute-v0", *arguments)
    assert "--set task.name=TASK" in run(lamo, "data", "import", str(folder.parent)).stdout
    assert "mute-v0" in run(lamo, "data", "list").stdout
    with pytest.raises(UsageError, match="does not say its task"):
        run(lamo, "train", "--set", "data.set=mute-v0")


def test_without_preset_or_data_it_says_what_to_type(lamo: typer.Typer) -> None:
    with pytest.raises(UsageError, match=r"data\.set=SET"):
        run(lamo, "train", "--set", "optim.steps=5")
    with pytest.raises(UsageError, match="did you mean 'hopper-medium'"):
        run(lamo, "train", "--set", "data.set=hoper-medium")


@pytest.mark.parametrize(
    "setting", ["data.set=hoper-medium", "model.backbone=./nowhere", "data.source=d4rl"], ids=["set", "model", "source"]
)
def test_what_is_missing_is_said_before_a_run_is_made(lamo: typer.Typer, setting: str) -> None:
    from lamo_core.places import runs_dir

    with pytest.raises((MissingError, UsageError)):
        run(lamo, "train", "--preset", "mujoco-hopper-1pct", "--set", setting)
    assert not runs_dir().exists() or not any(runs_dir().iterdir())


def test_what_was_recorded_is_one_line_and_the_way_on_another(lamo: typer.Typer, tmp_path: Path) -> None:
    words = ["data", "collect", "gym:CartPole-v1", "--policy", "random", "--transitions", "60"]
    here = run(lamo, *words)
    assert re.fullmatch(
        r"cartpole-v1-random: \d+ episodes with [67]\d transitions, mean return [\d.]+, [\d.]+ kB in \S+\n", here.stdout
    )
    assert "train on it with: lamo train --set data.set=cartpole-v1-random" in here.stderr
    assert "train on it" not in run(lamo, *words, "--name", "other", "--out", str(tmp_path / "elsewhere")).stderr


def test_a_set_without_frames_is_verified_without_a_word_on_frames(lamo: typer.Typer) -> None:
    assert run(lamo, "data", "verify", "reacher2d-medium").stdout.count("\n") == 1


def test_so_many_episodes_are_recorded(lamo: typer.Typer) -> None:
    words = ("data", "collect", "gym:CartPole-v1", "--policy", "random", "--json")
    made = json.loads(run(lamo, *words, "--episodes", "3").stdout)
    assert made["episodes"] == 3
    card = json.loads(run(lamo, "data", "show", made["set"], "--json").stdout)
    assert "--episodes 3 --seed 0" in json.dumps(card)
    # without a number of either there is a usual one
    assert json.loads(run(lamo, *words, "--name", "usual").stdout)["transitions"] >= 10_000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("gym:CartPole-v1", "--policy", "random", "--transitions", "9"), "not both"),
        (("gym:CartPole-v1", "--train", "dqn"), "say its length with --steps"),
        (("breakout-medium", "--out", "x"), "give --transitions"),
    ],
)
def test_a_number_of_episodes_is_refused_where_something_else_decides(
    lamo: typer.Typer, words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        run(lamo, "data", "collect", *words, "--episodes", "3")
