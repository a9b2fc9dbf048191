"""What states are divided by: the floor that keeps still features from exploding, and the published way."""

from __future__ import annotations

import numpy as np

from lamo_core.training.session import state_spread


def test_features_that_hardly_move_are_divided_by_a_share_of_the_largest_spread() -> None:
    deviations = np.array([2.0, 1.0, 0.5, 1e-6, 0.0])
    np.testing.assert_allclose(state_spread(deviations, floored=True), [2.0, 1.0, 0.5, 0.2, 0.2])
    np.testing.assert_allclose(state_spread(deviations, floored=False), deviations + 1e-6)


def test_data_that_do_not_move_at_all_are_left_as_they_are() -> None:
    np.testing.assert_array_equal(state_spread(np.zeros(3), floored=True), np.ones(3))
