"""The kitchen: what is observed, that a subtask pays once, and that the scripted hand solves what it is known to."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from lamo_core.config import TaskConfig
from lamo_core.data.collect_kitchen import draw_manner
from lamo_core.data.kitchen_controller import Manner, Script
from lamo_core.tasks.kitchen import POSITIONS, SUBTASKS, make_kitchen, subtasks_of
from lamo_core.tasks.registry import get_task, make_batch


def test_equal_seeds_give_equal_episodes_of_59_numbers() -> None:
    batch = make_batch(TaskConfig(name="kitchen-partial", max_steps=3), 2)
    first = batch.reset(np.array([5, 6]))
    seen = [batch.step(np.full((2, 9), 0.2, np.float32)) for _ in range(4)]
    again = batch.reset(np.array([5, 6]))
    replayed = [batch.step(np.full((2, 9), 0.2, np.float32)) for _ in range(4)]
    batch.close()

    assert first.shape == (2, *get_task("kitchen-partial").observation_shape)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    for before, after in zip(seen, replayed, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], first[1])
    assert seen[2][3].all()
    np.testing.assert_array_equal(seen[2][0], seen[3][0])


def test_a_solved_subtask_pays_once_although_it_stays_solved() -> None:
    environment = make_kitchen()
    observation, _ = environment.reset(seed=0)
    simulator = environment.unwrapped
    rng = np.random.default_rng(0)
    script = Script(simulator.model, simulator.data, Manner(("slide cabinet",), 0.0, 0.0), rng)
    rewards: list[float] = []
    solved: list[str] = []
    while (action := script.next_action(solved)) is not None:
        observation, reward, terminated, _, info = environment.step(action.astype(np.float64))
        solved = info["episode_task_completions"]
        rewards.append(reward)
        assert not terminated
    for _ in range(3):
        observation, reward, *_ = environment.step(np.zeros(9))
        rewards.append(reward)

    assert sum(rewards) == 1.0
    assert solved == ["slide cabinet"]
    # The door is still open: the published data would have paid 1 at each of the last three steps too.
    assert abs(observation[28] - 0.37) < 0.3
    assert rewards[-3:] == [0.0, 0.0, 0.0]


def test_mixed_pays_for_the_burner_and_not_for_the_cabinet() -> None:
    mixed, partial = (make_kitchen(f"kitchen-{kind}").unwrapped for kind in ("mixed", "partial-v0"))
    assert set(mixed.tasks_to_complete) - set(partial.tasks_to_complete) == {"bottom burner"}
    assert set(partial.tasks_to_complete) - set(mixed.tasks_to_complete) == {"slide cabinet"}
    assert subtasks_of("kitchen-partial-v0") == SUBTASKS
    assert subtasks_of("atari-pong") == subtasks_of("kitchen-") == ()


def test_the_joint_positions_and_velocities_come_first() -> None:
    environment = make_kitchen()
    observation, _ = environment.reset(seed=0)
    data = environment.unwrapped.data

    np.testing.assert_allclose(observation[:9], data.qpos[:9], atol=0.1)
    np.testing.assert_allclose(observation[18:39], data.qpos[9:30], atol=0.01)


def test_manners_cover_every_subtask_and_number() -> None:
    manners = [draw_manner("partial", np.random.default_rng(seed)) for seed in range(300)]

    assert {len(manner.subtasks) for manner in manners} == {1, 2, 3, 4}
    assert {manner.subtasks[0] for manner in manners} == set(SUBTASKS)
    assert len({manner.subtasks for manner in manners}) > 40
    assert draw_manner("complete", np.random.default_rng(0)).subtasks == SUBTASKS


def test_positions_alone_are_part_of_the_state() -> None:
    names = ("kitchen-complete", "kitchen-complete-v0")
    whole, positions = (make_batch(TaskConfig(name=name), 1) for name in names)
    try:
        seen, part = whole.reset(np.array([3])), positions.reset(np.array([3]))
        assert part.shape == (1, 30) == (1, *get_task("kitchen-complete-v0").observation_shape)
        np.testing.assert_array_equal(part, seen[:, list(POSITIONS)])
        action = np.full((1, 9), 0.3, np.float32)
        np.testing.assert_array_equal(positions.step(action)[0], whole.step(action)[0][:, list(POSITIONS)])
    finally:
        whole.close()
        positions.close()
