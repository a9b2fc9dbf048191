"""Commands on an environment that misbehaves: one sentence, exit code 8, and nothing that was done is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.collect import stable_baselines
from lamo_core.data.collect.stable_baselines import RecordedEnvironment, learn_and_record
from lamo_core.data.open_data import open_data
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.data.store.bundled_vectors import collected_folder
from lamo_core.errors import EnvironmentFault, LamoError
from lamo_core.runs.directory import find_run
from lamo_core.runs.reader import read_events
from lamo_core.runs.status import read_state
from lamo_core.tasks.gym_tasks import gym_task
from lamo_core.training.checkpoint import read_checkpoint
from lamo_tui.cli.app import app
from tests.tasks.faulty import SEED, Faulty, register

SMALL = [
    *("--set", "optim.batch_size=4", "--set", "model.context=3", "--set", "optim.steps=4", "--device", "cpu"),
    *("--set", "eval.every=2", "--set", "eval.episodes=1", "--set", "eval.final_episodes=1"),
    *("--set", "model.backbone=random:mini", "--set", "checkpoint.every=100"),
]
COLLECT = ["data", "collect", "--policy", "random", "--transitions", "80"]


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LAMO_CACHE", "LAMO_RUNS", "LAMO_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    known = set(gymnasium.registry)
    gym_task.cache_clear()
    yield
    for name in set(gymnasium.registry) - known:
        del gymnasium.registry[name]


def lamo(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def fault(result: Result) -> str:
    """Return the sentence of an environment's fault."""
    assert isinstance(result.exception, EnvironmentFault), result.output
    return str(result.exception)


def heal(task: str) -> None:
    """Put a sound environment in the place of a faulty one."""
    del gymnasium.registry[task.removeprefix("gym:")]
    sound = {"how": "nan", "where": "nowhere"}
    gymnasium.register(task.removeprefix("gym:"), entry_point=Faulty, kwargs=sound, max_episode_steps=8)


@pytest.mark.parametrize(("how", "where"), [("nan", "step"), ("SystemExit", "step"), ("none", "reset")])
def test_training_goes_on_and_the_final_evaluation_can_be_repeated(how: str, where: str) -> None:
    task = register(how, where, late=True)
    assert lamo(*COLLECT, task, "--name", "made").exit_code == 0
    result = lamo("train", "--set", "data.set=made", *SMALL, "--json")
    assert result.exit_code == 8
    run = find_run("last")
    told = json.loads(result.stdout)
    assert (told["exit_code"], told["scores"]) == (8, [])
    status, derived = read_state(run)
    assert (derived.state, status.step, status.reason) == ("failed", 4, "evaluation failed")
    assert status.message.startswith(f"the environment {task} ")
    assert "all steps are trained and saved" in status.message
    events = [event for event in read_events(run.events_file) if event["event"] in ("EvalFailed", "EvalDone")]
    assert [(event["event"], event["step"], event["final"]) for event in events] == [
        ("EvalFailed", 2, False),
        ("EvalFailed", 4, True),
    ]
    trained = read_checkpoint(run.last_checkpoint)
    assert trained.step == 4

    assert "with seed 100000" in fault(lamo("eval", "last", "--episodes", "1"))
    assert lamo("eval", "last", "--episodes", "1", "--seed", "5").exit_code == 0
    assert lamo("train", "--resume", "last").exit_code == 8
    heal(task)
    assert lamo("train", "--resume", "last").exit_code == 0
    assert read_state(run)[1].state == "finished"
    assert read_events(run.events_file)[-3]["event"] == "EvalDone"
    again = read_checkpoint(run.last_checkpoint).weights
    assert all((trained.weights[name] == tensor).all() for name, tensor in again.items())


@pytest.mark.parametrize(("how", "where"), [("huge", "step"), ("reward-nan", "step"), ("SystemExit", "reset")])
def test_whole_episodes_of_a_broken_collection_are_a_set(how: str, where: str) -> None:
    task = register(how, where, late=True)
    result = lamo(*COLLECT, task, "--name", "made", "--seed", str(SEED - 6))
    assert f"with seed {SEED}" in fault(result)
    assert "keeping the 6 episodes that are whole" in result.stderr
    assert "made: 6 episodes with 48 transitions" in result.stdout
    store = open_data(DataConfig(set="made"), TaskConfig(name=task), 0)
    assert store.lengths.tolist() == [8] * 6
    assert np.isfinite(np.asarray(store.observations)).all()
    assert lamo("train", "--set", "data.set=made", *SMALL, "--set", "eval.final_episodes=0").exit_code == 0


@pytest.mark.parametrize("where", ["step", "reset", "making"])
def test_a_collection_without_a_whole_episode_leaves_nothing(where: str) -> None:
    assert "the environment" in fault(lamo(*COLLECT, register("RuntimeError", where), "--name", "made"))
    assert "made" not in all_set_names()
    assert not collected_folder().exists() or not list(collected_folder().iterdir())


def test_a_policys_whole_episodes_are_kept(tmp_path: Path) -> None:
    task = register("nan", late=True)
    assert lamo(*COLLECT, task, "--name", "made").exit_code == 0
    assert lamo("train", "--set", "data.set=made", *SMALL, "--set", "eval.final_episodes=0").exit_code == 0
    words = ["data", "collect", task, "--policy", "last", "--transitions", "100", "--name"]
    first = str(SEED - 10)  # eight are played side by side
    result = lamo(*words, "played", "--seed", first)
    assert "whose number 1 is NaN" in fault(result)
    assert "keeping the 8 episodes that are whole" in result.stderr
    assert open_data(DataConfig(set="played"), TaskConfig(name=task), 0).lengths.tolist() == [8] * 8


def test_what_can_be_analysed_without_the_environment_is_told() -> None:
    task = register("nan", late=True)
    assert lamo(*COLLECT, task, "--name", "made").exit_code == 0
    assert lamo("train", "--set", "data.set=made", *SMALL, "--set", "eval.final_episodes=0").exit_code == 0
    result = lamo("analyse", "last", "--part", "asked", "--part", "movement", "--json", "--episodes", "1")
    assert result.exit_code == 8
    assert "left out asked: the environment" in result.stderr
    assert json.loads(result.stdout)["movement"]
    assert "whose number 1 is NaN" in fault(lamo("analyse", "last", "--part", "asked", "--episodes", "1"))


class _Learning:
    """Stands in for an agent of the library: it plays, and fails if it is told to."""

    def __init__(self, environments: list[RecordedEnvironment], error: Exception | None = None) -> None:
        self._environment, self._error = environments[0], error

    def learn(self, steps: int, callback: Any) -> None:
        self._environment.reset()
        for step in range(steps):
            callback(step + 1)
            _, _, terminated, truncated, _ = self._environment.step(np.zeros(2))
            if terminated or truncated:
                self._environment.reset()
            if step == 20 and self._error is not None:
                raise self._error

    def get_env(self) -> Any:
        return self._environment


@pytest.mark.parametrize("error", [None, ValueError("the policy is NaN\nat length")])
def test_a_learning_history_that_breaks_off_is_kept(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    task = TaskConfig(name=register("nan", late=True))
    monkeypatch.setattr(stable_baselines, "find_spec", lambda name: object())
    monkeypatch.setattr(stable_baselines, "_callback", lambda goes_on: goes_on)
    monkeypatch.setattr(stable_baselines, "_model", lambda name, environments, *_: _Learning(environments, error))
    history = learn_and_record(task, "ppo", steps=99, seed=0, first_seed=SEED - 3, progress=lambda done: None)
    assert [len(episode.rewards) for episode in history.episodes] == [8] * (3 if error is None else 2)
    assert isinstance(history.error, LamoError)
    broke_off = "PPO of stable-baselines3 broke off after 21 steps: the policy is NaN"
    assert (f"with seed {SEED}" if error is None else broke_off) in str(history.error)
    assert str(history.error).isprintable()
