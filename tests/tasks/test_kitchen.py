"""The kitchen: what is observed, that a subtask pays once, and that the scripted hand solves what it is known to."""

from __future__ import annotations

import enum

import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from lamo_core.config import TaskConfig
from lamo_core.data.recipes.collect_kitchen import KitchenPlayer, draw_manner
from lamo_core.data.recipes.kitchen_controller import Aim, HandController
from lamo_core.data.recipes.kitchen_script import Manner, Script
from lamo_core.errors import MissingError
from lamo_core.tasks.kitchen import POSITIONS, SUBTASKS, make_kitchen
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


def test_a_newer_mujoco_is_refused_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    import mujoco

    class Newer(enum.Enum):
        """From 3.12 on, the bindings' enums equal no integers of NumPy."""

        mjJNT_SLIDE = 2

    monkeypatch.setattr(mujoco, "mjtJoint", Newer)
    monkeypatch.setattr(mujoco, "__version__", "3.12.0")
    with pytest.raises(MissingError, match=r"MuJoCo 3\.12\.0; install an older one with: .*'mujoco<3\.12'"):
        make_batch(TaskConfig(name="kitchen-complete"), 1)


def test_a_solved_subtask_pays_once_although_it_stays_solved() -> None:
    environment = make_kitchen()
    observation, _ = environment.reset(seed=0)
    simulator = environment.unwrapped
    rng = np.random.default_rng(0)
    script = Script(simulator.model, simulator.data, Manner(("slide cabinet",)), rng)
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


def test_a_hand_that_is_pushed_corrects_itself_and_solves_all_four() -> None:
    player = KitchenPlayer("complete")
    episode = player.play(4_000_000)

    assert episode.noise > 0.2
    assert episode.terminated
    assert player.keeps(episode)
    # The actions are recorded as they were played, in steps that compress well.
    np.testing.assert_array_equal(episode.actions * 1024, np.round(episode.actions * 1024))


def test_a_solved_subtask_is_skipped_and_patience_ends() -> None:
    environment = make_kitchen()
    environment.reset(seed=0)
    simulator = environment.unwrapped
    manner = Manner(("slide cabinet", "kettle"), patience=3)
    script = Script(simulator.model, simulator.data, manner, np.random.default_rng(0))

    played = 0
    # The door is moved by hand, so that its subtask is over before it has begun.
    simulator.data.joint("slide_cabinet").qpos[0] = 0.4
    while (action := script.next_action(["slide cabinet"])) is not None:
        environment.step(action.astype(np.float64))
        played += 1
    assert played == 3


@pytest.mark.parametrize("start", [(-0.6, 0.3, 1.8), (-0.3, 0.45, 2.28), (-0.28, 0.08, 1.72)])
def test_the_hand_goes_where_it_is_aimed(start: tuple[float, float, float]) -> None:
    environment = make_kitchen()
    environment.reset(seed=0)
    controller = HandController(environment.unwrapped.model, environment.unwrapped.data)
    for _ in range(22):
        environment.step(controller.action(Aim(np.array(start), opened=True, speed=0.6)))
    assert np.linalg.norm(controller.hand - np.array(start)) < 0.02
