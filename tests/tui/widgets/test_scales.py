"""Ticks and short numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lamo_tui.widgets.charts.scales import (
    clock_ticks,
    format_count,
    format_duration,
    format_ticks,
    format_value,
    linear_ticks,
    log_ticks,
    nice_step,
    symlog_ticks,
)

ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(low=ANY, high=ANY, count=st.integers(-1, 20))
@example(low=-1.0000000010000002e308, high=0.0, count=1)
def test_ticks_lie_within_the_axis_and_have_labels(low: float, high: float, count: int) -> None:
    for make in (linear_ticks, clock_ticks):
        ticks = make(low, high, count)
        assert all(low - 1e-6 * (high - low) <= tick <= high + 1e-6 * (high - low) for tick in ticks)
        assert len(format_ticks(ticks)) == len(ticks)
    if abs(low) < 200 and abs(high) < 200:
        assert all(tick > 0 or low == high for tick in log_ticks(low, high, count) if tick)


@given(span=st.floats(1e-200, 1e200), count=st.integers(1, 50))
def test_a_step_is_1_2_or_5_and_cuts_into_at_most_so_many_parts(span: float, count: int) -> None:
    step = nice_step(span, count)
    assert span / step <= count * (1 + 1e-6)
    leading = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(leading - wanted) for wanted in (1, 2, 5, 10)) < 1e-6


def test_ticks_of_usual_axes() -> None:
    assert linear_ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert log_ticks(-1, 2, 6) == [0.1, 1, 10, 100]
    assert log_ticks(0, 1, 6) == [1, 2, 5, 10]
    assert clock_ticks(0, 600, 5) == [0, 120, 240, 360, 480, 600] or clock_ticks(0, 600, 5) == [0, 300, 600]
    assert clock_ticks(0, 7200, 4) == [0, 1800, 3600, 5400, 7200]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 5000, 10000], ["0", "5k", "10k"]),
        ([0, 0.5, 1.0], ["0", "0.5", "1.0"]),
        ([12000, 12500, 13000], ["12.0k", "12.5k", "13.0k"]),
        ([0, 50, 100], ["0", "50", "100"]),
        ([0.25, 0.5], ["0.25", "0.50"]),
        ([-5, 0, 5], ["-5", "0", "5"]),
        ([], []),
    ],
)
def test_labels_of_one_axis_agree(values: list[float], labels: list[str]) -> None:
    assert format_ticks(values) == labels


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.34567, "0.346"),
        (12.345, "12.35"),
        (1234.5, "1234"),
        (12345.0, "12.35k"),
        (-3.25e-7, "-3.25e-7"),
        (2e6, "2000k"),
        (math.nan, "–"),
        (-math.inf, "-∞"),
    ],
)
def test_values_are_short(value: float, text: str) -> None:
    assert format_value(value) == text


@given(ANY)
def test_no_value_is_long(value: float) -> None:
    assert len(format_value(value)) <= 10


def test_counts_and_durations() -> None:
    assert format_count(12_300) == "12,300"
    assert [format_duration(seconds) for seconds in (0.5, 45, 200, 7500, 273600)] == [
        "0.5s",
        "45s",
        "3m20s",
        "2h05m",
        "3d04h",
    ]


@given(st.floats(-300, 300), st.floats(1e-6, 300), st.integers(1, 12))
def test_ticks_of_a_symmetric_log_axis_lie_in_order_within_it(low: float, span: float, count: int) -> None:
    ticks = symlog_ticks(low, low + span, count)
    assert ticks == sorted(ticks)
    places = [math.copysign(math.log10(1 + abs(tick)), tick) for tick in ticks]
    assert all(low - 1e-6 <= place <= low + span + 1e-6 for place in places)


def test_a_symmetric_log_axis_has_zero_and_decades_of_both_signs() -> None:
    assert symlog_ticks(-2.1, 3.1, 8) == [-100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0, 1000.0]
