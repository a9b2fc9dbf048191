"""Targets come from the data's returns, rounded, and never ask for more than the data reached."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.config import EvalConfig
from lamo_core.errors import UsageError
from lamo_core.evaluation.targets import choose_targets, targets_from_returns


def test_quantiles_say_where_they_come_from() -> None:
    targets = targets_from_returns(np.arange(12.0), (0.5, 0.95))
    assert [target.value for target in targets] == [10.0, 6.0]  # 10.45 and 5.5: whole returns, whole targets
    assert [target.origin for target in targets] == [
        "95 % quantile of 12 episodes",
        "50 % quantile of 12 episodes",
    ]


def test_rounding_keeps_three_digits_and_the_range_of_the_data() -> None:
    assert targets_from_returns([4718.0, 4718.0], (0.95,))[0].value == 4718.0
    assert targets_from_returns([100.0, 4723.0, 9999.0], (0.5,))[0].value == 4720.0
    assert targets_from_returns([61.2345, 80.0], (0.0,))[0].value == 61.2345  # 61.2 would leave the range
    assert targets_from_returns([1.5, 61.2345, 80.0], (0.5,))[0].value == 61.2
    assert targets_from_returns([-20.0, -18.0, -19.0], (0.9,))[0].value == -18.0
    assert targets_from_returns([0.0, 0.0], (0.9,))[0].value == 0.0


def test_equal_targets_are_kept_once_and_one_episode_is_enough() -> None:
    targets = targets_from_returns([7.0], (0.9, 0.95))
    assert [(target.value, target.origin) for target in targets] == [(7.0, "95 % quantile of 1 episode")]


def test_config_targets_go_first() -> None:
    assert choose_targets(EvalConfig(targets=(90.0, 120.0)), [1.0]) == (90.0, 120.0)
    assert choose_targets(EvalConfig(), np.arange(101.0)) == (95.0,)
    with pytest.raises(UsageError, match="at least one episode"):
        choose_targets(EvalConfig(), [])
