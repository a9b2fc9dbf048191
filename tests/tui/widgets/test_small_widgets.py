"""Gauge, action bars, histogram, matrix and sparkline: what they say, at any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.message import Message

from lamo_tui.widgets.bars import ActionBars
from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import FAINT, STRONG, Cells
from lamo_tui.widgets.charts.series import Reference
from lamo_tui.widgets.charts.sparkline import sparkline
from lamo_tui.widgets.gauge import ReturnGauge, bar_text
from lamo_tui.widgets.heatmap import Heatmap, Score
from lamo_tui.widgets.histogram import Histogram

ANY = st.floats(allow_nan=True, allow_infinity=True)
SIZES = st.tuples(st.integers(1, 60), st.integers(1, 14))


@settings(deadline=None, max_examples=60)
@given(values=st.tuples(ANY, ANY, st.none() | ANY), size=SIZES)
def test_a_gauge_of_anything(values: tuple[float, float, float | None], size: tuple[int, int]) -> None:
    gauge = ReturnGauge()
    gauge.show(*values)
    assert gauge.picture(*size).glyphs.shape == size[::-1]


def test_a_gauge_says_asked_achieved_and_what_remains() -> None:
    gauge = ReturnGauge()
    gauge.show(40, 10)
    lines = gauge.picture(20, 4).text().splitlines()
    assert [line.split()[-1] for line in lines[:3]] == ["40", "10", "30"]
    assert lines[2].startswith("to go")
    assert lines[3] == "█" * 5 + "─" * 15
    gauge.show(40, 50)
    assert gauge.picture(20, 4).text().splitlines()[2].split() == ["beyond", "10"]


def test_a_bar_fills_to_an_eighth() -> None:
    assert bar_text(0.5, 5) == "██▌  "
    assert bar_text(math.nan, 3) == "   "
    assert bar_text(7.0, 3) == "███"


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(ANY, max_size=20),
    size=SIZES,
    signed=st.booleans(),
    taken=st.none() | st.integers(0, 19),
)
def test_action_bars_of_anything(values: list[float], size: tuple[int, int], signed: bool, taken: int | None) -> None:
    bars = ActionBars()
    names = [f"action {index}" for index in range(len(values))]
    if signed:
        bars.show_actions(names, values)
    else:
        bars.show_probabilities(names, values, taken)
    assert bars.picture(*size).glyphs.shape == size[::-1]


def test_action_bars_mark_what_was_taken_and_leave_out_the_least_likely() -> None:
    bars = ActionBars()
    bars.show_probabilities(["noop", "fire", "right", "left"], [0.05, 0.15, 0.7, 0.1], taken=3)
    lines = bars.picture(40, 4).text().splitlines()
    assert lines[3].startswith("▸ left")
    assert lines[2].endswith("70%")
    short = bars.picture(40, 3).text().splitlines()
    assert [line.split()[0] for line in short[:1]] == ["right"]
    assert short[1].startswith("▸ left")
    assert short[2].split() == ["2", "more"]


def test_signed_bars_start_in_the_middle() -> None:
    bars = ActionBars()
    bars.show_actions(["hip", "knee"], [-1.0, 0.5])
    hip, knee = bars.picture(40, 2).text().splitlines()
    assert hip.index("█") < hip.index("│")
    assert knee.index("█") > knee.index("│")
    assert hip.endswith("-1.00")


@settings(deadline=None, max_examples=60)
@given(values=st.lists(ANY, max_size=30), marks=st.lists(ANY, max_size=2), size=SIZES)
def test_a_histogram_of_anything(values: list[float], marks: list[float], size: tuple[int, int]) -> None:
    histogram = Histogram("returns")
    histogram.show(np.array(values), [Reference("mark", mark, "#ffffff") for mark in marks])
    assert histogram.picture(*size).glyphs.shape == size[::-1]


def test_a_histogram_counts() -> None:
    histogram = Histogram("returns")
    histogram.show(np.array([0.0] * 4 + [9.0] * 2))
    lines = histogram.picture(30, 6).text().splitlines()
    assert lines[0].endswith("6 · mean 3")
    assert lines[1][0] == "█"
    assert lines[2] == "█"
    assert lines[3][-1] == "█"
    assert lines[5].split() == ["0", "9"]


class Stage(App[None]):
    BINDINGS = (("enter", "choose", "choose"),)

    def __init__(self) -> None:
        super().__init__()
        self.matrix = Heatmap()
        self.told: list[tuple[str, str, str]] = []

    def compose(self) -> ComposeResult:
        yield self.matrix

    def on_mount(self) -> None:
        self.matrix.focus()

    def action_choose(self) -> None:
        self.matrix.action_choose()

    def on_heatmap_cell_moved(self, message: Message) -> None:
        assert isinstance(message, Heatmap.CellMoved)
        if not isinstance(message, Heatmap.CellChosen):
            self.told.append(("moved", message.row, message.column))

    def on_heatmap_cell_chosen(self, message: Heatmap.CellChosen) -> None:
        self.told.append(("chosen", message.row, message.column))


def shown(app: Stage) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


SCORES = {("full", "1%"): Score(24.5, 20.0, 29.0, 5), ("no lm", "1%"): Score(11.0, seeds=1, note="running")}


async def test_the_matrix_shows_means_and_intervals_and_tells_what_is_chosen() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.matrix.show(["full", "no lm"], ["0.1%", "1%"], SCORES)
        assert app.matrix.cell == ("full", "1%"), "the first that is filled"
        await pilot.press("left", "right", "enter", "down")
        picture = shown(app)
        assert "24.5" in picture
        assert "20–29" in picture
        assert "running" in picture
        await pilot.click(Heatmap, (9, 1))
        await pilot.click(Heatmap, (9, 1))
        assert app.told == [
            ("moved", "full", "0.1%"),
            ("moved", "full", "1%"),
            ("chosen", "full", "1%"),
            ("moved", "no lm", "1%"),
            ("moved", "full", "0.1%"),
            ("chosen", "full", "0.1%"),
        ]


async def test_the_matrix_scrolls_to_the_cursor() -> None:
    app = Stage()
    async with app.run_test(size=(40, 5)) as pilot:
        rows, columns = [f"row{index}" for index in range(9)], [f"col{index}" for index in range(9)]
        app.matrix.show(rows, columns, {})
        await pilot.press(*["down"] * 8, *["right"] * 8)
        assert "row8" in shown(app)
        assert "col8" in shown(app)
        assert "◂▴" in shown(app)
        for size in ((1, 1), (9, 3), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()


@settings(deadline=None, max_examples=60)
@given(scores=st.lists(st.tuples(ANY, st.none() | ANY, st.none() | ANY), max_size=4), size=SIZES)
def test_a_matrix_of_anything(scores: list[tuple[float, float | None, float | None]], size: tuple[int, int]) -> None:
    matrix = Heatmap()
    rows = [f"row {index}" for index in range(len(scores))]
    matrix.show(rows, ["1%", "10%"], {(row, "1%"): Score(*score) for row, score in zip(rows, scores, strict=True)})
    assert matrix.picture(*size).glyphs.shape == size[::-1]


@given(values=st.lists(ANY, max_size=40), width=st.integers(0, 20))
def test_a_sparkline_of_anything_is_no_wider_than_asked(values: list[float], width: int) -> None:
    assert len(sparkline(np.array(values), width).plain) == min(width, len(values))


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline(np.arange(8.0), 8).plain == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([1.0, np.nan, 2.0]), 3).plain == "▁ █"
    assert sparkline(np.arange(8.0), 8, mode="ascii").plain.isascii()


class _Counter(Drawn):
    """A line of which one figure changes, and a line that stays."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def picture(self, width: int, height: int) -> Cells:
        cells = Cells(width, height)
        cells.write(0, 0, "always the same")
        cells.write(1, 0, "before")
        cells.write(1, 8, str(self.number), STRONG)
        cells.write(1, 12, "after", FAINT)
        return cells


async def test_only_the_part_that_changed_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = _Counter()

    class Stage(App[None]):
        def compose(self) -> ComposeResult:
            yield counter

    async with Stage().run_test(size=(30, 4)) as pilot:
        await pilot.pause()
        asked: list[tuple[Region, ...]] = []
        monkeypatch.setattr(counter, "refresh", lambda *regions, **_: asked.append(regions))
        counter.redraw_changes()
        assert asked == []
        counter.number = 7
        counter.redraw_changes()
        assert asked == [(Region(8, 1, 1, 1),)]
        assert "before  7" in counter.render_line(1).text


def test_a_matrix_says_and_shades_the_difference_to_a_row_unless_it_may_be_chance() -> None:
    matrix = Heatmap()
    scores = {
        ("none", "a"): Score(50.0, 45.0, 55.0, 3),
        ("better", "a"): Score(60.0, 57.0, 63.0, 3),
        ("worse", "a"): Score(30.0, 28.0, 32.0, 3),
        ("alike", "a"): Score(52.0, 47.0, 57.0, 3),
        ("once", "a"): Score(90.0),
        ("elsewhere", "b"): Score(10.0, 9.0, 11.0, 3),
    }
    matrix.show(["none", "better", "worse", "alike", "once", "elsewhere"], ["a", "b"], scores, "none")
    assert [matrix._paper(row, "a").colour for row in ("none", "better", "worse", "alike", "once")] == [
        "text", "success", "error", "text", "text"
    ]  # fmt: skip
    assert matrix._paper("worse", "a").strength > matrix._paper("better", "a").strength
    text = matrix.picture(60, 20).text()
    assert "60 +10" in text
    assert "30 -20" in text
    assert "50 " in text
    assert math.isnan(matrix.difference("elsewhere", "b"))
