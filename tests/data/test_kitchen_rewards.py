"""The kitchen's rewards in one unit, whichever way the data count them."""

from __future__ import annotations

import numpy as np

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.kitchen_rewards import SOLVED_PER_STEP, counted, first_solved, in_unit, unit_of
from lamo_core.data.open_data import open_data

LENGTHS = np.array([6, 3, 1])
COUNTS = np.array([0, 1, 1, 3, 3, 4, 0, 0, 2, 1], np.float32)
ONCE = np.array([0, 1, 0, 2, 0, 1, 0, 0, 2, 1], np.float32)


def test_both_ways_are_each_others_inverse_and_stay_within_episodes() -> None:
    np.testing.assert_array_equal(first_solved(COUNTS, LENGTHS), ONCE)
    np.testing.assert_array_equal(counted(ONCE, LENGTHS), COUNTS)


def test_a_subtask_that_comes_undone_is_not_paid_twice() -> None:
    counts = np.array([1, 2, 1, 2, 3], np.float32)
    np.testing.assert_array_equal(first_solved(counts, np.array([5])), [1, 1, 0, 0, 1])


def test_the_unit_of_bundled_data_is_the_environments() -> None:
    task = TaskConfig(name="kitchen-complete")
    once = open_data(DataConfig(set="kitchen-complete"), task, 0)
    every = open_data(DataConfig(set="kitchen-complete", kitchen_rewards="every-step"), task, 0)
    assert unit_of(once.card) == "once"
    assert set(once.returns()) == {4.0}
    assert every.returns().min() > 100
    np.testing.assert_array_equal(first_solved(every.rewards, every.lengths), once.rewards)


def test_a_card_that_says_so_is_converted() -> None:
    task = TaskConfig(name="kitchen-complete")
    every = open_data(DataConfig(set="kitchen-complete", kitchen_rewards="every-step"), task, 0)
    every.card["reward_unit"] = SOLVED_PER_STEP
    assert in_unit(every, "every-step") is every
    assert in_unit(every, "once").returns().max() == 4
