"""The chart as a widget: keys, mouse, messages, and its picture at three sizes.

After a wanted change write the pictures anew with `LAMO_WRITE_PICTURES=1 pytest tests/tui/widgets`, and read the
difference before it is committed.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollUp
from textual.message import Message

from lamo_tui.widgets.charts.chart import Chart
from lamo_tui.widgets.charts.plot_parts import lay_out, row_of
from lamo_tui.widgets.charts.series import Reference, Series

GOLDENS = Path(__file__).parent / "goldens"


def line(count: int = 1000, name: str = "run", letter: str = "A", offset: float = 0.0) -> Series:
    x = np.arange(count, dtype=np.float64)
    return Series(name, x, np.exp(-x / 300) + offset, "#56b4e9", marker=letter)


class Stage(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.chart = Chart("loss")
        self.told: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_mount(self) -> None:
        self.chart.focus()

    def on_chart_cursor_moved(self, message: Chart.CursorMoved) -> None:
        self.told.append(message)

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        self.told.append(message)

    def on_chart_scale_refused(self, message: Chart.ScaleRefused) -> None:
        self.told.append(message)


def shown(app: Stage) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (120, 30)])
async def test_the_picture(width: int, height: int) -> None:
    app = Stage()
    async with app.run_test(size=(width, height)) as pilot:
        x = np.arange(41) * 1000.0
        y = 30 * (1 - np.exp(-x / 9000))
        hole = np.where((x > 20000) & (x < 25000), np.nan, y * 0.6)
        app.chart.title = "return"
        app.chart.set_series(
            [
                Series("lamo", x, y, "#56b4e9", low=y - 2, high=y + 2, marker="A"),
                Series("dt", x, hole, "#e69f00", marker="B"),
            ]
        )
        app.chart.set_references([Reference("data", 11.2, "#8da0f5"), Reference("paper", 300.0, "#e78ac3")])
        await pilot.press("right", "left", "left")
        picture = shown(app)
    golden = GOLDENS / f"chart-{width}x{height}.txt"
    if os.environ.get("LAMO_WRITE_PICTURES"):
        golden.write_text(picture + "\n", encoding="utf-8")
    assert picture == golden.read_text(encoding="utf-8").removesuffix("\n")


async def test_letters_stand_in_the_order_of_their_lines() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line(letter="A"), line(letter="B", offset=0.001), line(letter="C", offset=0.5)])
        await pilot.pause()
        rows = shown(app).splitlines()
        ends = {letter: at for at, row in enumerate(rows[1:-1]) for letter in "ABC" if letter in row}
        assert sorted(ends, key=lambda letter: ends[letter]) == ["C", "B", "A"]
        assert rows[-1].rstrip().endswith("1000"), "no letter stands on the axis"


async def test_equal_series_draw_nothing_and_new_points_do() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.pause()
        draws = app.chart.draws
        app.chart.set_series([line()])
        await pilot.pause()
        assert app.chart.draws == draws
        app.chart.set_series([line(1001)])
        await pilot.pause()
        assert app.chart.draws == draws + 1


async def test_a_hidden_chart_draws_nothing() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.display = False
        await pilot.pause()
        draws = app.chart.draws
        app.chart.set_series([line()])
        await pilot.pause()
        assert app.chart.draws == draws


async def test_arrows_move_the_cursor_and_tell() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.press("right")
        assert app.chart.cursor_x == 999.0
        await pilot.press("left")
        moved = app.chart.cursor_x
        assert moved is not None
        assert moved < 999.0
        assert "step" in shown(app).splitlines()[0]
        await pilot.press("home")
        assert app.chart.cursor_x == 0.0
        await pilot.press("escape")
        assert app.chart.cursor_x is None
        told = [message.x for message in app.told if isinstance(message, Chart.CursorMoved)]
        assert told == [999.0, moved, 0.0, None]


async def test_a_cursor_from_outside_is_shown_but_not_told() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        app.chart.cursor_x = 500.0
        await pilot.pause()
        assert "0.189" in shown(app)
        assert app.told == []


async def test_zooming_at_the_newest_point_follows_it_and_panning_lets_go() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.press("z", "z")
        assert app.chart.view.span is not None
        assert app.chart.follow
        app.chart.set_series([line(1500)])
        window = app.chart.window(100)
        assert window is not None
        assert window.start < 1499.0 < window.end
        await pilot.press("shift+left")
        assert not app.chart.follow
        before = app.chart.window(100)
        app.chart.set_series([line(2000)])
        assert app.chart.window(100) == before
        for _ in range(20):
            await pilot.press("shift+right")
        assert app.chart.follow
        await pilot.press("backspace")
        assert app.chart.view.span is None
        assert any(isinstance(message, Chart.ViewChanged) for message in app.told)


async def test_f_lets_go_of_the_newest_point_and_takes_hold_again() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.press("z", "f")
        assert not app.chart.follow
        before = app.chart.window(100)
        app.chart.set_series([line(1500)])
        assert app.chart.window(100) == before
        await pilot.press("f")
        window = app.chart.window(100)
        assert window is not None
        assert window.end > 1499.0


async def test_zooming_out_returns_to_everything() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.press("z", "Z")
        assert app.chart.view.span is None


async def test_a_log_axis_without_positive_values_is_refused_with_a_reason() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([Series("run", np.arange(5.0), -np.arange(5.0), "#56b4e9")])
        await pilot.press("y")
        await pilot.pause()
        assert not app.chart.log_y
        refused = [message for message in app.told if isinstance(message, Chart.ScaleRefused)]
        assert [(message.axis, message.reason) for message in refused] == [("y", "no log y: loss has no value above 0")]


async def test_log_axes_switch_on_and_off_when_values_stop_being_positive() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.press("y", "X")
        assert app.chart.log_y
        assert app.chart.log_x
        app.chart.set_series([Series("run", np.arange(1.0, 5.0), np.zeros(4), "#56b4e9")])
        await pilot.pause()
        assert not app.chart.log_y
        assert app.chart.log_x
        assert any(isinstance(message, Chart.ScaleRefused) for message in app.told)


async def test_the_wheel_zooms_around_the_pointer() -> None:
    app = Stage()
    async with app.run_test(size=(67, 12)) as pilot:
        app.chart.set_series([line()])
        place = app.chart._place_at(30)
        assert place is not None
        await pilot._post_mouse_events([MouseScrollUp], app.chart, (30, 5))
        assert app.chart.view.span is not None
        assert not app.chart.follow
        after = app.chart._place_at(30)
        assert after == pytest.approx(place, abs=20)


async def test_hovering_reads_out_and_a_click_pins() -> None:
    app = Stage()
    async with app.run_test(size=(67, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.hover(Chart, (20, 5))
        first = app.chart.cursor_x
        assert first is not None
        await pilot.click(Chart, (30, 5))
        pinned = app.chart.cursor_x
        assert pinned != first
        await pilot.hover(Chart, (50, 5))
        assert app.chart.cursor_x == pinned


async def test_dragging_pans() -> None:
    app = Stage()
    async with app.run_test(size=(67, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.press("z", "z")
        before = app.chart.window(120)
        await pilot.mouse_down(Chart, (30, 5))
        await pilot.hover(Chart, (50, 5))
        await pilot.mouse_up(Chart, (50, 5))
        after = app.chart.window(120)
        assert before is not None
        assert after is not None
        assert after.start < before.start
        assert not app.chart.follow


async def test_markers_fall_back_to_plain_characters() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line(), line(name="dt", letter="B", offset=1.0)])
        await pilot.press("m", "m")
        assert app.chart.marker_mode == "ascii"
        assert shown(app).isascii()
        assert "bbb" in shown(app)


async def test_empty_and_single_point_charts_say_what_there_is() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        assert "no data yet" in shown(app)
        app.chart.set_series([Series("run", np.array([7.0]), np.array([2.5]), "#56b4e9")])
        await pilot.pause()
        assert "2.5" in shown(app).splitlines()[0]
        assert "●" in shown(app), "one dot would not be seen"


async def test_a_view_beside_all_points_says_so() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([Series("run", np.array([1000.0]), np.array([2.5]), "#56b4e9")])
        app.chart.reach((0.0, 1000.0))
        app.chart.zoom(4.0, centre=100.0)
        await pilot.pause()
        assert "nothing in view" in shown(app)


async def test_resizing_to_nothing_and_back() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        for size in ((1, 1), (3, 2), (200, 60), (10, 4), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert len(shown(app).splitlines()) <= size[1]


async def test_colours_follow_the_theme() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([line()])
        await pilot.pause()
        dark = app.chart.render_line(5)
        app.theme = "textual-light"
        await pilot.pause()
        light = app.chart.render_line(5)
        assert dark.text == light.text
        assert {segment.style for segment in dark} != {segment.style for segment in light}


async def test_a_log_axis_goes_on_below_zero_where_values_do() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([Series("run", np.arange(5.0), np.array([-100.0, -1.0, 0.0, 10.0, 1000.0]), "#56b4e9")])
        await pilot.press("y")
        await pilot.pause()
        assert app.chart.log_y
        assert app.chart.symmetric
        places = app.chart.plot().curves[0].y
        np.testing.assert_allclose(places, [-np.log10(101), -np.log10(2), 0, np.log10(11), np.log10(1001)])
        app.chart.set_series([line()])
        assert not app.chart.symmetric


@pytest.mark.parametrize(("height", "bottom", "top"), [(16, 0.4, 2.0), (18, 0.2, 2.0), (12, -0.3, 0.9), (30, 0.0, 3.0)])
def test_equal_steps_of_an_axis_are_equally_high(height: int, bottom: float, top: float) -> None:
    layout = lay_out(60, height + 2)
    layout = replace(layout, height=height)
    steps = round((top - bottom) / 0.1)
    rows = [row_of(bottom + 0.1 * step, layout, bottom, top) for step in range(1, steps + 1)]
    heights = {upper - lower for upper, lower in itertools.pairwise(rows)}
    assert len(heights) == 1 or height % steps, heights
    assert row_of(bottom, layout, bottom, top) == height - 1, "the end of the axis is on it"
    assert row_of(bottom - 0.1, layout, bottom, top) >= height
    assert row_of(top + 0.1, layout, bottom, top) < 0


async def test_charts_that_reach_as_far_show_the_same_place_in_the_same_column() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.set_series([Series("run", np.array([300.0, 600.0, 900.0]), np.array([1.0, 2.0, 3.0]), "#56b4e9")])
        await pilot.pause()
        own = app.chart.window(100)
        assert own is not None
        assert own.start >= 290
        app.chart.reach((0.0, 1000.0))
        wide = app.chart.window(100)
        assert wide is not None
        assert (wide.start, wide.end >= 1000) == (0.0, True)
        app.chart.action_cursor_end(True)
        assert app.chart.cursor_x == 900.0, "the newest point of its own"
        app.chart.set_series([])
        assert app.chart.window(100) is None
