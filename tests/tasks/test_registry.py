"""Names and records of tasks."""

from __future__ import annotations

import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.atari import ATARI_TASKS
from lamo_core.tasks.atari_emulator import AtariEmulator
from lamo_core.tasks.registry import get_task, make_batch


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
    assert task.default_set.startswith(name.removeprefix("atari-"))


def test_normalised_scores() -> None:
    task = get_task("atari-breakout")
    assert task.normalised(task.random_score) == 0
    assert task.normalised(task.expert_score) == 100


def test_batch_needs_an_environment() -> None:
    with pytest.raises(UsageError, match="at least one"):
        make_batch(TaskConfig(name="atari-breakout"), 0)
