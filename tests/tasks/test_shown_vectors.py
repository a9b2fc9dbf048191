"""MuJoCo tasks with pictures play the episodes of the batch, and any moment of them comes back."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.environment import RenderedEnv
from lamo_core.tasks.registry import get_task, make_batch
from lamo_core.tasks.rendering.render_env import open_rendered

pytest.importorskip("mujoco")

NAMES = ["mujoco-hopper", "mujoco-halfcheetah", "mujoco-walker2d", "mujoco-reacher2d", "kitchen-complete"]


@pytest.fixture(autouse=True)
def _drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "disabled")


def actions_of(name: str, steps: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1.2, 1.2, (steps, get_task(name).actions)).astype(np.float32)


def play(shown: RenderedEnv, actions: np.ndarray) -> list[tuple[bytes, float, bool, bool]]:
    return [(step[0].tobytes(), *step[1:]) for step in map(shown.step, actions)]


@pytest.mark.parametrize("name", NAMES)
def test_it_plays_the_episode_of_the_batch_and_pictures_change_nothing(name: str) -> None:
    config = TaskConfig(name=name, max_steps=12)
    batch, shown = make_batch(config, 1), open_rendered(config, height=24)
    shown.reset(9, 0)
    shown.step(actions_of(name, 1)[0])
    assert np.array_equal(shown.reset(5, 0), batch.reset(np.array([5]))[0])
    for action in actions_of(name, 12):
        observations, rewards, terminated, truncated = batch.step(action[None])
        observation, reward, over, cut = shown.step(action)
        assert np.array_equal(observation, observations[0])
        assert (reward, over, cut) == (rewards[0], terminated[0], truncated[0])
        shown.picture()
    assert cut
    assert shown.facts()
    batch.close()
    shown.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_moment_comes_back_to_the_last_bit_even_elsewhere_and_after_a_reset(name: str) -> None:
    config = TaskConfig(name=name)
    shown, other = open_rendered(config, height=48), open_rendered(config, height=48)
    before, after = np.split(actions_of(name, 16), 2)
    shown.reset(3, 0)
    play(shown, before)
    moment, picture = shown.clone(), shown.picture()
    expected = play(shown, after)
    shown.restore(moment)
    assert np.array_equal(shown.picture(), picture)
    assert play(shown, after) == expected
    other.reset(4, 0)
    other.step(before[0])
    other.restore(moment)
    assert play(other, after) == expected
    shown.close()
    other.close()


def test_the_step_limit_counts_from_the_restored_moment() -> None:
    shown = open_rendered(TaskConfig(name="mujoco-reacher2d", max_steps=5), height=24)
    shown.reset(0, 0)
    actions = actions_of("mujoco-reacher2d", 5)
    play(shown, actions[:2])
    moment = shown.clone()
    play(shown, actions[2:])
    shown.restore(moment)
    assert [step[3] for step in play(shown, actions[2:])] == [False, False, True]


@pytest.mark.parametrize("name", NAMES)
def test_drawings_show_the_body_and_that_it_moves(name: str) -> None:
    shown = open_rendered(TaskConfig(name=name), height=90)
    shown.reset(0, 0)
    first = shown.picture()
    play(shown, actions_of(name, 12))
    second = shown.picture()
    assert first.shape == (90, 120, 3)
    assert first.dtype == np.uint8
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 50
    changed = (first != second).any(-1).mean()
    assert changed > 0.002
    shown.close()


def test_pictures_have_a_sensible_size() -> None:
    with pytest.raises(UsageError, match="pixels high"):
        open_rendered(TaskConfig(name="mujoco-hopper"), height=0)
