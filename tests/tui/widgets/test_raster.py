"""Properties of the rasteriser, the viewport and the chart's picture: any data, any size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamo_tui.widgets.charts.plot import draw_plot
from lamo_tui.widgets.charts.plot_parts import Plot, columns_of
from lamo_tui.widgets.charts.raster import DOTS, MARKER_MODES, envelope, fill, pack, thin
from lamo_tui.widgets.charts.series import Reference, Series, make_curve
from lamo_tui.widgets.charts.viewport import Viewport

ANY = st.floats(allow_nan=True, allow_infinity=True)
NORMAL = st.floats(-1e6, 1e6)


@st.composite
def any_series(draw: Any) -> Series:
    count = draw(st.integers(0, 12))

    def column() -> Any:
        return arrays(np.float64, count, elements=draw(st.sampled_from([ANY, NORMAL])))

    parts = [draw(column()) if draw(st.booleans()) else None for _ in range(3)]
    return Series(draw(st.text(max_size=5)), draw(column()), draw(column()), "#56b4e9", *parts, marker="A")


@settings(max_examples=150, deadline=None)
@given(
    series=st.lists(any_series(), max_size=3),
    references=st.lists(ANY, max_size=2),
    size=st.tuples(st.integers(1, 90), st.integers(1, 30)),
    logs=st.tuples(st.booleans(), st.booleans()),
    mode=st.sampled_from(MARKER_MODES),
    cursor=st.none() | ANY,
    steps=st.lists(st.tuples(st.floats(0.3, 3), st.none() | ANY, st.floats(-1, 1)), max_size=3),
)
def test_any_data_at_any_size_give_a_picture_of_that_size(
    series: list[Series], references: list[float], size: tuple[int, int], logs: Any, mode: Any, cursor: Any, steps: Any
) -> None:
    curves = [make_curve(one, *logs) for one in series]
    lines = [Reference("r", y, "#ffffff") for y in references]
    plot = Plot("loss", curves, lines, *logs, mode, cursor=cursor)
    ends = [(curve.x[0], curve.x[-1]) for curve in curves if len(curve.x)]
    columns = columns_of(*size, mode)
    window = None
    if ends:
        first, last = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
        view = Viewport()
        for factor, centre, share in steps:
            centre = centre if centre is not None and math.isfinite(centre) else None
            view = view.zoomed(factor, centre, first, last, columns).panned(share, first, last, columns)
        window = view.window(first, last, columns)
        assert window.columns == columns
        assert math.isfinite(window.start)
        assert window.width > 0
    cells = draw_plot(plot, window, *size)
    assert cells.glyphs.shape == (size[1], size[0])
    for row in range(size[1]):
        assert sum(len(text) for text, _, _ in cells.runs(row)) == size[0]


@settings(max_examples=100, deadline=None)
@given(y=arrays(np.float64, st.integers(1, 300), elements=st.floats(-100, 100)), columns=st.integers(1, 80))
def test_the_envelope_is_the_exact_range_of_the_joined_points(y: np.ndarray, columns: int) -> None:
    x = np.arange(len(y), dtype=np.float64)
    width = len(y) / columns
    low, high = envelope(x, y, 0.0, width, columns)
    fine = np.unique(np.concatenate([x, np.arange(columns + 1) * width]))
    fine = fine[fine <= x[-1]]
    curve = np.interp(fine, x, y)
    for column in range(columns):
        inside = (fine >= column * width) & (fine <= (column + 1) * width)
        if not inside.any() or column * width >= x[-1]:
            continue
        assert low[column] == pytest.approx(curve[inside].min(), abs=1e-6)
        assert high[column] == pytest.approx(curve[inside].max(), abs=1e-6)


def test_a_nan_leaves_a_gap_and_a_lone_point_stays_visible() -> None:
    y = np.array([1.0, 1.0, np.nan, 2.0, np.nan, 3.0, 3.0])
    low, _ = envelope(np.arange(7.0), y, 0.0, 0.5, 14)
    drawn = np.isfinite(low)
    assert drawn[:3].all()
    assert not drawn[3:6].any()
    assert drawn[6]
    assert not drawn[7:10].any()


def test_extremes_survive_a_million_points() -> None:
    y = np.zeros(1_000_000)
    y[123_456], y[654_321] = 5.0, -7.0
    low, high = envelope(np.arange(1e6), y, 0.0, 1e4, 100)
    assert high[12] == 5.0
    assert low[65] == -7.0


def test_points_added_at_the_end_leave_the_other_columns_alone() -> None:
    y = np.random.default_rng(0).normal(size=5000)
    x = np.arange(5000.0)
    before = Viewport().window(0.0, 4799.0, 200)
    after = Viewport().window(0.0, 4809.0, 200)
    assert before == after
    old = envelope(x[:4800], y[:4800], before.start, before.width, 200)
    new = envelope(x[:4810], y[:4810], after.start, after.width, 200)
    untouched = int(4799 / before.width)
    np.testing.assert_array_equal(old[0][:untouched], new[0][:untouched])
    np.testing.assert_array_equal(old[1][:untouched], new[1][:untouched])


def test_a_following_zoomed_view_moves_by_whole_columns() -> None:
    view = Viewport(span=100.0, follow=True)
    starts = [view.window(0.0, last, 64).start / (100.0 / 64) for last in np.arange(500.0, 520.0)]
    assert all(abs(start - round(start)) < 1e-6 for start in starts)
    assert starts == sorted(starts)


@given(mask=arrays(np.bool_, (8, 12)))
def test_thinning_only_removes_dots_and_empties_no_column(mask: np.ndarray) -> None:
    thinned = thin(mask)
    assert not (thinned & ~mask).any()
    assert (thinned.any(0) == mask.any(0)).all()


def test_a_straight_line_has_one_dot_in_each_column_after_thinning() -> None:
    x = np.arange(101.0)
    low, high = envelope(x, x * 0.4, 0.0, 1.0, 100)
    dots = thin(fill(low, high, 0.0, 40.0, 40))
    assert dots.sum(0).max() <= 2
    assert dots.sum() < 120


@given(data=st.data(), mode=st.sampled_from(MARKER_MODES))
def test_packing_keeps_every_cell_with_a_dot(data: st.DataObject, mode: Any) -> None:
    rows, columns = DOTS[mode]
    mask = data.draw(arrays(np.bool_, (3 * rows, 5 * columns)))
    glyphs = pack(mask, mode)
    assert ((glyphs > 0) == mask.reshape(3, rows, 5, columns).any((1, 3))).all()
    if mode == "braille":
        dots = sum(bin(int(glyph) - 0x2800).count("1") for glyph in glyphs[glyphs > 0])
        assert dots == mask.sum()


def test_rows_count_from_the_top_and_edges_are_drawn() -> None:
    values = np.array([0.0, 5.0, 10.0])
    mask = fill(values, values, 0.0, 10.0, 10)
    assert np.flatnonzero(mask[:, 0]).tolist() == [9]
    assert np.flatnonzero(mask[:, 1]).tolist() == [5]
    assert np.flatnonzero(mask[:, 2]).tolist() == [0]
