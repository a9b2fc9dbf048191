"""The moving average against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamo_tui.widgets.charts.smoothing import FEWEST_POINTS, ema


def by_definition(y: np.ndarray, weight: float) -> np.ndarray:
    above = below = 0.0
    result = np.full(len(y), np.nan)
    for index, value in enumerate(y):
        above, below = above * weight, below * weight
        if np.isfinite(value):
            above, below = above + value, below + 1
            result[index] = above / below
    return result


@given(
    y=arrays(np.float64, st.integers(FEWEST_POINTS + 12, 200), elements=st.floats(-1e3, 1e3)),
    weight=st.floats(0.01, 0.999),
    holes=st.sets(st.integers(0, 10)),
)
def test_the_doubling_sum_equals_the_recurrence(y: np.ndarray, weight: float, holes: set[int]) -> None:
    y = y.copy()
    y[list(holes)] = np.nan
    np.testing.assert_allclose(ema(y, weight), by_definition(y, weight), rtol=1e-9, atol=1e-9)


def test_a_constant_stays_itself_from_the_first_value_on() -> None:
    np.testing.assert_allclose(ema(np.full(50, 3.0), 0.9), 3.0)


def test_few_values_and_no_weight_change_nothing() -> None:
    few = np.arange(FEWEST_POINTS - 1, dtype=np.float64)
    assert ema(few, 0.9) is few
    many = np.arange(100.0)
    assert ema(many, 0.0) is many


def test_a_weight_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="below 1"):
        ema(np.arange(20.0), 1.0)
