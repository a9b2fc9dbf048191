"""Batches of MuJoCo environments: shapes, seeds, limits, waiting, and what the physics must do."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks import vector_batch
from lamo_core.tasks.registry import get_task, make_batch

pytest.importorskip("mujoco")

NAMES = ["mujoco-hopper", "mujoco-halfcheetah", "mujoco-walker2d", "mujoco-reacher2d"]


def play(name: str, seeds: list[int], steps: int, **settings: object) -> tuple[np.ndarray, np.ndarray]:
    task = get_task(name)
    batch = make_batch(TaskConfig(name=name, **settings), len(seeds))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    seen, paid = [batch.reset(np.array(seeds))], []
    for _ in range(steps):
        actions = np.repeat(rng.uniform(-1, 1, (1, task.actions)), len(seeds), 0).astype(np.float32)
        observations, rewards, _, _ = batch.step(actions)
        seen.append(observations)
        paid.append(rewards)
    batch.close()
    return np.stack(seen), np.stack(paid)


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_episodes_and_other_seeds_others(name: str) -> None:
    observations, rewards = play(name, [3, 4, 3], 20)
    again, rewards_again = play(name, [3, 4, 3], 20)

    assert observations.shape == (21, 3, *get_task(name).observation_shape)
    assert observations.dtype == np.float32
    np.testing.assert_array_equal(observations, again)
    np.testing.assert_array_equal(rewards, rewards_again)
    np.testing.assert_array_equal(observations[:, 0], observations[:, 2])
    assert not np.array_equal(observations[:, 0], observations[:, 1])


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium_robotics")
    monkeypatch.setattr(vector_batch, "_cores", lambda: 3)
    threaded = play("kitchen-complete", [1, 2, 3, 4], 6)
    monkeypatch.setattr(vector_batch, "_cores", lambda: 1)
    serial = play("kitchen-complete", [1, 2, 3, 4], 6)

    np.testing.assert_array_equal(threaded[0], serial[0])
    np.testing.assert_array_equal(threaded[1], serial[1])


def test_a_second_reset_forgets_the_first_episode() -> None:
    batch = make_batch(TaskConfig(name="mujoco-reacher2d"), 2)
    first = batch.reset(np.array([1, 2]))
    for _ in range(5):
        batch.step(np.ones((2, 2), np.float32))

    np.testing.assert_array_equal(batch.reset(np.array([1, 2])), first)


def test_the_step_limit_truncates_and_finished_episodes_wait() -> None:
    batch = make_batch(TaskConfig(name="mujoco-reacher2d", max_steps=4), 2)
    batch.reset(np.array([1, 2]))
    for _ in range(4):
        observations, _, terminated, truncated = batch.step(np.ones((2, 2), np.float32))
    later, rewards, _, truncated_later = batch.step(np.ones((2, 2), np.float32))

    assert truncated.all()
    assert not terminated.any()
    assert truncated_later.all()
    assert not rewards.any()
    np.testing.assert_array_equal(later, observations)


def test_the_horizon_of_the_task_truncates_too() -> None:
    batch = make_batch(TaskConfig(name="mujoco-reacher2d"), 1)
    batch.reset(np.array([1]))
    ends = [batch.step(np.zeros((1, 2), np.float32))[3][0] for _ in range(100)]

    assert ends.index(True) == 99


def test_a_hopper_that_does_nothing_falls_and_then_waits() -> None:
    batch = make_batch(TaskConfig(name="mujoco-hopper"), 1)
    batch.reset(np.array([0]))
    for _ in range(300):
        observations, _, terminated, truncated = batch.step(np.zeros((1, 3), np.float32))
        if terminated[0]:
            break
    later, rewards, still, _ = batch.step(np.ones((1, 3), np.float32))

    assert terminated[0]
    assert still[0]
    assert not truncated[0]
    assert not rewards.any()
    np.testing.assert_array_equal(later, observations)


def test_version_5_walks_on_another_foot() -> None:
    _, old = play("mujoco-walker2d", [0], 60)
    _, new = play("mujoco-walker2d", [0], 60, version="v5")

    assert not np.array_equal(old, new)


def test_wrong_shapes_are_refused_with_one_sentence() -> None:
    batch = make_batch(TaskConfig(name="mujoco-hopper"), 2)

    with pytest.raises(UsageError, match="2 seeds, not 1"):
        batch.reset(np.array([1]))
    batch.reset(np.array([1, 2]))
    with pytest.raises(UsageError, match="shape"):
        batch.step(np.zeros((2, 4), np.float32))


@pytest.mark.parametrize(
    ("name", "ret", "score"),
    [("mujoco-hopper", 1422.0, 44.3), ("mujoco-halfcheetah", 4770.0, 40.7), ("mujoco-walker2d", 2852.0, 62.1)],
)
def test_scores_are_those_of_d4rl(name: str, ret: float, score: float) -> None:
    assert get_task(name).normalised(ret) == pytest.approx(score, abs=0.1)
