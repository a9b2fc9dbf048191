"""Environments that observe dictionaries, tuples and choices: collected, trained on, evaluated and replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from click.testing import Result
from gymnasium import spaces
from typer.testing import CliRunner

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.open_data import open_data
from lamo_core.errors import LamoError
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.tasks.gym_tasks import gym_task
from lamo_core.tasks.registry import get_task, make_batch
from lamo_core.tasks.rendering.render_env import open_rendered
from lamo_tui.cli.app import app

BOX = spaces.Box(-np.inf, np.inf, (2,), np.float64)
OBSERVED: dict[str, spaces.Space] = {
    "Dict": spaces.Dict(
        {"where": BOX, "what": spaces.Discrete(3), "how": spaces.Dict({"much": spaces.MultiBinary(2)})}
    ),
    "Tuple": spaces.Tuple((spaces.Discrete(4), BOX)),
    "Discrete": spaces.Discrete(5, start=-1),
    "MultiDiscrete": spaces.MultiDiscrete([3, 4]),
    "Goal": spaces.Dict({"observation": BOX, "achieved_goal": BOX, "desired_goal": BOX}),
}
SMALL = (
    *("optim.batch_size=4", "optim.micro_batch_size=4", "optim.steps=2", "optim.warmup_steps=1", "model.context=3"),
    *("eval.every=0", "eval.final_episodes=2", "model.backbone=random:mini", "language.weight=0", "device=cpu"),
)


class Walk(gymnasium.Env):
    """Observes what follows from its seed and its actions, and pays the action; ends after six steps."""

    metadata = {"render_modes": []}  # noqa: RUF012
    action_space = spaces.Box(-3.0, 3.0, (1,), np.float32)

    def __init__(self, kind: str) -> None:
        self.observation_space = OBSERVED[kind]

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.steps = 0
        return self._observe(0.0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action)
        self.steps += 1
        return self._observe(float(action[0])), float(action[0]), self.steps == 6, False, {}

    def _observe(self, action: float) -> Any:
        self.observation_space.seed(int(self.np_random.integers(2**31)) + int(100 * abs(action)))
        return self.observation_space.sample()


@pytest.fixture(autouse=True)
def _walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LAMO_CACHE", "LAMO_RUNS", "LAMO_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    gym_task.cache_clear()
    for kind in OBSERVED:
        gymnasium.register(f"{kind}Walk-v0", entry_point=Walk, kwargs={"kind": kind})
    yield
    for kind in OBSERVED:
        del gymnasium.registry[f"{kind}Walk-v0"]
    gym_task.cache_clear()


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, LamoError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("kind", OBSERVED)
def test_from_collecting_to_replaying(kind: str, tmp_path: Path) -> None:
    task = f"gym:{kind}Walk-v0"
    run("data", "collect", task, "--policy", "random", "--transitions", "40", "--name", "walks")
    store = open_data(DataConfig(set="walks"), TaskConfig(name=task), 0)
    space = OBSERVED[kind]
    width = 4 if kind == "Goal" else spaces.flatdim(space)
    assert store.observations.shape == (store.transitions + len(store.lengths), width)
    assert np.abs(store.actions).max() <= 1
    assert np.abs(store.rewards).max() > 1  # the environment was played in its own bounds
    np.testing.assert_allclose(store.rewards, 3 * store.actions[:, 0], rtol=1e-5)

    settings = [word for setting in (*SMALL, "data.set=walks") for word in ("--set", setting)]
    run("train", *settings)
    scored = json.loads(run("eval", "last", "--episodes", "2", "--json").stdout)
    assert np.isfinite(scored["scores"][0]["mean"])
    again = json.loads(run("data", "collect", task, "--policy", "last", "--transitions", "12", "--json").stdout)
    assert again["transitions"] == 12

    records = sorted((tmp_path / "lamo_runs").rglob("replays/*.npz"))
    assert records
    replay = load_replay(records[0])
    shown, batch = open_rendered(replay.task, height=30), make_batch(replay.task, 1)
    assert get_task(replay.task.name).observation_shape == (width,)
    first = shown.reset(replay.episode.seed, replay.episode.noops)
    np.testing.assert_array_equal(first, batch.reset(np.array([replay.episode.seed]))[0])
    for action, reward in zip(replay.episode.actions, replay.episode.rewards, strict=True):
        seen, paid, *_ = shown.step(action)
        np.testing.assert_array_equal(seen, batch.step(action[None])[0][0])
        assert paid == pytest.approx(reward)
    assert shown.picture().shape == (30, 40, 3)
