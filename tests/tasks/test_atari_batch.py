"""Batches of Atari episodes: what they show can be replayed from seed, no-ops and actions."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.atari.atari_batch import noop_start
from lamo_core.tasks.atari.atari_emulator import AtariEmulator
from lamo_core.tasks.registry import make_batch


def test_episodes_replay_from_seed_noops_and_actions() -> None:
    config = TaskConfig(name="atari-breakout", max_steps=120)
    batch = make_batch(config, 3)
    seeds = np.array([40, 41, 47])
    observations = [batch.reset(seeds)]
    assert observations[0].shape == (3, 4, 84, 84)
    assert not observations[0][:, :3].any()
    noops = batch.noops()
    assert noops.tolist() == [noop_start(int(seed), 7) for seed in seeds]
    actions = np.random.default_rng(0).integers(0, 4, (120, 3))
    rewards = []
    for row in actions:
        observation, reward, terminated, truncated = batch.step(row)
        observations.append(observation)
        rewards.append(reward)
    assert (terminated | truncated).all()
    assert truncated.any()
    batch.close()
    for column, seed in enumerate(seeds):
        emulator = AtariEmulator("breakout")
        emulator.reset(int(seed))
        for _ in range(noops[column]):
            emulator.step(0)
        frames = [np.zeros((84, 84), np.uint8)] * 3 + [emulator.frame()]
        for step, action in enumerate(actions[:, column]):
            if emulator.over:
                break
            assert emulator.step(int(action)) == rewards[step][column]
            frames.append(emulator.frame())
            np.testing.assert_array_equal(observations[step + 1][column], np.stack(frames[-4:]))


def test_finished_episodes_wait() -> None:
    batch = make_batch(TaskConfig(name="atari-breakout", max_steps=5, noop_max=0), 2)
    batch.reset(np.array([1, 2]))
    for _ in range(5):
        last, _, terminated, truncated = batch.step(np.array([1, 2]))
    assert truncated.all()
    assert not terminated.any()
    for _ in range(3):
        observation, rewards, terminated, truncated = batch.step(np.array([1, 2]))
        np.testing.assert_array_equal(observation, last)
        assert not rewards.any()
        assert truncated.all()
    batch.close()


def test_reset_starts_again_alike() -> None:
    batch = make_batch(TaskConfig(name="atari-pong"), 1)
    episodes = []
    for _ in range(2):
        frames = [batch.reset(np.array([9]))]
        frames += [batch.step(np.array([step % 6]))[0] for step in range(12)]
        episodes.append(np.stack(frames))
    np.testing.assert_array_equal(episodes[0], episodes[1])
    batch.close()


def test_noop_starts_cover_the_range() -> None:
    starts = {noop_start(seed, 7) for seed in range(200)}
    assert starts == set(range(8))
    assert noop_start(3, 0) == 0


def test_wrong_number_of_seeds() -> None:
    batch = make_batch(TaskConfig(name="atari-breakout"), 1)
    with pytest.raises(UsageError, match="1 environments need 1 seeds"):
        batch.reset(np.array([1, 2]))
    batch.close()
