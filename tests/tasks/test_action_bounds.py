"""Bounds of actions: each kind has the meaning of the table, and play undoes what the data went through."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.tasks.action_bounds import ActionBounds

INF = np.inf
#          both finite       equal            missing            half missing
BOUNDS = ActionBounds.of([[-2.0, 0.0], [3.0, -INF], [-INF, 1.0]], [[2.0, 10.0], [3.0, INF], [5.0, INF]])


def test_actions_in_their_own_units_become_unit_actions_and_back() -> None:
    own = np.array([[-2.0, 10.0, 3.0, 0.7, -0.2, 0.4], [1.0, 5.0, 3.0, -1.0, 1.0, 0.0]])
    unit = BOUNDS.to_unit(own)
    np.testing.assert_allclose(unit, [[-1, 1, 0, 0.7, -0.2, 0.4], [0.5, 0, 0, -1, 1, 0]])
    np.testing.assert_allclose(BOUNDS.from_unit(unit), own)


def test_what_lies_outside_stays_outside() -> None:
    unit = BOUNDS.to_unit(np.array([[2.1, -0.1, 3.1, 1.1, 7.0, -2.0]]))
    assert (np.abs(unit) > 1).all()


def test_whatever_is_played_lies_within_the_bounds() -> None:
    played = BOUNDS.from_unit(np.random.default_rng(0).uniform(-1, 1, (50, 6)))
    np.testing.assert_array_equal(played[:, 2], 3.0)
    assert (played >= [-2, 0, 3, -1, -1, -1]).all()
    assert (played <= [2, 10, 3, 1, 1, 1]).all()


def test_unit_actions_are_exactly_as_they_are() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, (9, 2)).astype(np.float32)
    for bounds in (ActionBounds.of([-1, -1], [1, 1]), ActionBounds.of([-INF, 0], [INF, INF])):
        assert not bounds.scales
        np.testing.assert_array_equal(bounds.to_unit(values), values.astype(np.float64))


@pytest.mark.parametrize(("low", "high"), [([0.0, 0.0], [1.0]), ([np.nan], [1.0]), ([1.0], [-1.0])])
def test_bounds_that_are_none(low: list[float], high: list[float]) -> None:
    with pytest.raises(ValueError, match="no bounds"):
        ActionBounds.of(low, high)


def test_bounds_are_the_same_up_to_single_precision_and_are_said_in_short() -> None:
    bounds = ActionBounds.of([-0.4, -INF], [0.4, INF])
    assert bounds.same(ActionBounds.of(np.float32([-0.4, -INF]), np.float32([0.4, INF])))
    assert not bounds.same(ActionBounds.of([-0.4, -1.0], [0.4, 1.0]))
    assert not bounds.same(ActionBounds.of([-0.4], [0.4]))
    assert str(ActionBounds.of([-2.0] * 3, [2.0] * 3)) == "-2 to 2"
    assert str(bounds) == "-0.4 to 0.4, none"
