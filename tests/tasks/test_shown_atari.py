"""The environment with pictures plays the very episodes of the batch that policies are evaluated on."""

from __future__ import annotations

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.tasks.registry import make_batch
from lamo_core.tasks.rendering.render_env import open_rendered

TASK = TaskConfig(name="atari-breakout", max_steps=40)


def test_it_plays_the_episode_of_the_batch() -> None:
    batch, shown = make_batch(TASK, 1), open_rendered(TASK)
    expected = batch.reset(np.array([5]))[0]
    assert np.array_equal(shown.reset(5, int(batch.noops()[0])), expected)
    actions = np.random.default_rng(0).integers(0, 4, 40)
    for action in actions:
        observations, rewards, terminated, truncated = batch.step(np.array([action]))
        observation, reward, over, cut = shown.step(action)
        assert np.array_equal(observation, observations[0])
        assert (reward, over, cut) == (rewards[0], terminated[0], truncated[0])
    assert cut
    assert shown.picture().shape == (210, 160, 3)
    batch.close()


def test_a_moment_comes_back_with_its_random_numbers() -> None:
    shown = open_rendered(TASK)
    shown.reset(3, 2)
    for action in (1, 2, 2):
        shown.step(action)
    moment, screen = shown.clone(), shown.picture().copy()
    first = [shown.step(action)[0].sum() for action in (3, 3, 2, 0, 2)]
    assert (shown.picture() != screen).any()
    shown.restore(moment)
    assert np.array_equal(shown.picture(), screen)
    assert [shown.step(action)[0].sum() for action in (3, 3, 2, 0, 2)] == first
