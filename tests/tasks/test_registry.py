"""Names and records of tasks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from ale_py import roms

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.atari.atari import ATARI_TASKS
from lamo_core.tasks.atari.atari_emulator import AtariEmulator
from lamo_core.tasks.atari.atari_scores import SCORES
from lamo_core.tasks.registry import get_task, make_batch, task_of, versioned

D4RL_SCORES = [
    ("hopper", -20.272305, 3234.3),
    ("halfcheetah", -280.178953, 12135.0),
    ("walker2d", 1.629008, 4592.3),
]


def test_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'atari-breakout'"):
        get_task("atari-brakout")
    with pytest.raises(UsageError, match="task"):
        make_batch(TaskConfig(name="chess"), 1)


@pytest.mark.parametrize("name", ATARI_TASKS)
def test_records_fit_the_games(name: str) -> None:
    task = get_task(name)
    emulator = AtariEmulator(name.removeprefix("atari-"))
    emulator.reset(0)
    assert emulator.actions == task.actions == len(task.action_names)
    assert emulator.frame().shape == task.observation_shape


def test_normalised_scores() -> None:
    task = get_task("atari-breakout")
    assert task.normalised(task.random_score) == 0
    assert task.normalised(task.expert_score) == 100


@pytest.mark.parametrize(("body", "random_score", "expert_score"), D4RL_SCORES)
def test_scores_of_d4rl_hold_for_version_4_alone(body: str, random_score: float, expert_score: float) -> None:
    config = TaskConfig(name=f"mujoco-{body}")
    task, newer = task_of(config), task_of(replace(config, version="v5"))
    assert (task.random_score, task.expert_score) == (random_score, expert_score)
    assert math.isnan(newer.normalised(1000.0))
    assert newer == get_task(f"mujoco-{body}-v5") == get_task(versioned(config.name, "v5"))
    assert replace(newer, name="", title="", random_score=0, expert_score=0) == replace(
        task, name="", title="", random_score=0, expert_score=0
    )
    with pytest.raises(UsageError, match=f"--set task.name=mujoco-{body} --set task.version=v5"):
        task_of(TaskConfig(name=newer.name))


def test_a_version_concerns_three_tasks_alone() -> None:
    assert task_of(TaskConfig(name="mujoco-reacher2d", version="v5")) == get_task("mujoco-reacher2d")


def test_batch_needs_an_environment() -> None:
    with pytest.raises(UsageError, match="at least one"):
        make_batch(TaskConfig(name="atari-breakout"), 0)


@pytest.mark.parametrize("game", ["freeway", "ms_pacman", "tetris"])
def test_any_game_of_the_emulator_is_a_task(game: str) -> None:
    task = get_task(f"atari-{game}")
    batch = make_batch(TaskConfig(name=task.name), 1)
    emulator = AtariEmulator(game)
    emulator.reset(0)
    assert emulator.actions == task.actions == len(set(task.action_names))
    assert batch.reset(np.array([1])).shape == (1, 4, 84, 84)
    batch.step(np.array([task.actions - 1]))
    batch.close()
    assert math.isnan(task.normalised(1.0)) == (game not in SCORES)


def test_scores_of_the_paper_and_of_the_usual_table() -> None:
    assert get_task("atari-pong").expert_score == 9.3
    assert get_task("atari-freeway").normalised(29.6) == 100
    assert len(SCORES) == 57
    assert set(SCORES) <= set(roms.get_all_rom_ids())
    assert all(random_score != human for random_score, human in SCORES.values())
