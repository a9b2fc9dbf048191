"""Reacher2d: the published geometry, what is rewarded, and how far a simple controller gets."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco")

import gymnasium

from lamo_core.data.recipes.collect_reacher2d import Gains, Reacher2dPlayer, torques
from lamo_core.tasks.reacher2d import GYMNASIUM_ID, make_reacher2d, register_reacher2d


def test_it_is_a_gymnasium_environment_of_100_steps() -> None:
    register_reacher2d()
    register_reacher2d()
    environment = gymnasium.make(GYMNASIUM_ID)
    environment.reset(seed=0)
    ends = [environment.step(np.zeros(2))[2:4] for _ in range(100)]

    assert [truncated for _, truncated in ends].index(True) == 99
    assert not any(terminated for terminated, _ in ends)


def test_the_observation_is_the_geometry() -> None:
    environment = make_reacher2d()
    for seed in range(20):
        observation, _ = environment.reset(seed=seed)
        angles = environment.unwrapped.data.qpos
        tip, target = observation[6:8], observation[8:10]
        # 0.785 of the first frame and -0.785 of the second cancel for the forearm.
        elbow = 0.6 * np.array([np.cos(angles[0] + 0.785), np.sin(angles[0] + 0.785)])
        reach = 0.45 * np.array([np.cos(angles.sum()), np.sin(angles.sum())])

        np.testing.assert_allclose(observation[:2], np.sin(angles))
        np.testing.assert_allclose(tip, elbow + reach, atol=1e-9)
        np.testing.assert_allclose(observation[10:], tip - target)
        assert not observation[4:6].any()
        assert 0.5 <= np.linalg.norm(target) <= 1.0
        assert np.abs(angles).max() <= 2.0


def test_the_reward_is_paid_near_the_target_only() -> None:
    environment = make_reacher2d()
    paid = {0.0: 0, 1.0: 0}
    for seed in range(4):
        observation, _ = environment.reset(seed=seed)
        for _ in range(60):
            observation, reward, *_ = environment.step(np.clip(torques(observation, Gains(4, 1.5, 0)), -1, 1))
            assert reward == float(np.abs(observation[10:]).sum() < 0.1)
            paid[reward] += 1

    assert min(paid.values()) > 20


def test_inverse_kinematics_with_these_gains_earns_what_it_is_known_to_earn() -> None:
    environment = make_reacher2d()
    returns = []
    for seed in range(24):
        observation, _ = environment.reset(seed=seed)
        total = 0.0
        for _ in range(100):
            observation, reward, *_ = environment.step(np.clip(torques(observation, Gains(4, 1.5, 0)), -1, 1))
            total += reward
        returns.append(total)

    # Known: 62.0 with sd 13.9 over 100 episodes; the bounds are four standard errors of 24.
    assert 50 < np.mean(returns) < 74
    assert min(returns) > 15


def test_a_recorded_episode_can_be_played_again() -> None:
    episode = Reacher2dPlayer(mixed=True).play(9)
    environment = make_reacher2d()
    observation, _ = environment.reset(seed=9)

    np.testing.assert_array_equal(observation.astype(np.float32), episode.observations[0])
    for step, action in enumerate(episode.actions):
        observation, reward, *_ = environment.step(action.astype(np.float64))
        np.testing.assert_array_equal(observation.astype(np.float32), episode.observations[step + 1])
        assert reward == episode.rewards[step]
