"""The charts of runs in a grid: one x axis, one cursor, one view for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from lamo_core.errors import UsageError
from lamo_tui.dashboard.api import dashboard
from lamo_tui.keys.bindings import with_keys
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.run.grid_chart import Drawn, GridChart
from lamo_tui.state.run_series import (
    AXES,
    AXIS_TITLES,
    PLOTS,
    SMOOTHING,
    Axis,
    Plot,
    beside,
    mean_curve,
    plots_of,
    references,
    task_name,
)
from lamo_tui.state.snapshot import RunData
from lamo_tui.state.view_state import View
from lamo_tui.text import fitting
from lamo_tui.themes import Palette
from lamo_tui.widgets.charts.chart import Chart
from lamo_tui.widgets.charts.series import Reference, Series
from lamo_tui.widgets.charts.viewport import Viewport
from lamo_tui.widgets.palette import letter_of


class ChartGrid(ResilientWidget, Container, can_focus=True):
    """Charts side by side; one of them is chosen and has the keys."""

    def __init__(self, *, id: str | None = None, names: Sequence[str] | None = None) -> None:
        super().__init__(id=id)
        self.one = False
        """Whether there is room for one chart only."""
        self.maximised = False
        self.axis: Axis = "step"
        self.level = 3
        self.log_x = False
        self.follows = True
        self._names = names
        self._chosen = PLOTS[0].name
        self._shown: list[str] = []
        self._looks: tuple[object, ...] = ()
        self._datas: list[RunData] = []
        self._drawn: tuple[Sequence[Drawn], Palette] | None = None
        self._filled: set[str] = set()
        """Charts that show the newest data; those out of sight wait until they are seen."""

    class Changed(Message):
        """The user wants the charts drawn in another way."""

    def compose(self) -> ComposeResult:
        """Make one chart per plot; those without data stay hidden."""
        for plot in PLOTS:
            if self._names is None or plot.name in self._names:
                yield GridChart(plot)

    @property
    def charts(self) -> list[GridChart]:
        """All charts, hidden ones too."""
        return list(self.query(GridChart))

    @property
    def chosen(self) -> GridChart:
        """The chart that the keys go to."""
        return next((chart for chart in self.charts if chart.kind.name == self._chosen), self.charts[0])

    def on_mount(self) -> None:
        """Show the basic charts even before there is anything to draw."""
        self._arrange(plots_of(None))

    def on_focus(self) -> None:
        """Give the keys to the chosen chart."""
        self.chosen.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Take as many columns as fit."""
        self._lay_out()

    def show(self, data: RunData | None, colours: Palette) -> None:
        """Show the curves of one run."""
        self.show_all([Drawn((data,), "", 0)] if data is not None else [], colours)

    def show_all(self, drawn: Sequence[Drawn], colours: Palette) -> None:
        """Show several curves over each other, the first one on top."""
        datas = [data for one in drawn for data in one.runs]
        looks = (self.axis, self.level, colours, tuple((one.name, one.number) for one in drawn))
        # equal content is not drawn anew: this is asked four times a second
        if (looks, [id(data) for data in datas]) == (self._looks, [id(data) for data in self._datas]):
            return
        self._looks, self._datas = looks, datas
        self._drawn, self._filled = (drawn, colours), set()
        wanted = {plot.name for data in datas for plot in plots_of(data)} or {plot.name for plot in plots_of(None)}
        self._arrange([chart.kind for chart in self.charts if chart.kind.name in wanted])
        self._fill_seen()

    def _fill_seen(self) -> None:
        if self._drawn is None:
            return
        for chart in self.charts:
            if chart.display and chart.kind.name not in self._filled:
                self._filled.add(chart.kind.name)
                self._fill(chart, *self._drawn)
        self._align()

    def _align(self) -> None:
        """Let all x axes be as long as the longest, so that charts above each other can be compared."""
        ends = [found for chart in self.charts if chart.kind.name in self._filled and (found := chart.own_ends())]
        reach = (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None
        for chart in self.charts:
            chart.reach(reach)

    def _fill(self, chart: GridChart, drawn: Sequence[Drawn], colours: Palette) -> None:
        series: list[Series] = []
        for one in reversed(drawn):
            found = self._curve(one, chart.kind, one.number, colours)
            if found is not None:
                # behind several curves, records would hide more than they show; the mean of fewer seeds is no record
                series.append(found if len(drawn) == 1 or len(one.runs) > 1 else replace(found, raw=None))
        if len(drawn) == 1 and series and chart.kind.beside:
            over = self._curve(drawn[0], beside(chart.kind), drawn[0].number + 1, colours)
            if over is not None:
                names = chart.kind.names
                series = [replace(series[0], name=names[0]), replace(over, name=names[1])]
        lines: list[Reference] = []
        if len({task_name(data) for one in drawn for data in one.runs}) == 1:
            lines = references(drawn[0].runs[0], chart.kind, (colours.series[1], colours.series[7], colours.series[3]))
        chart.x_name, chart.x_kind = AXIS_TITLES[self.axis], "seconds" if self.axis == "time" else "count"
        chart.set_series(series)
        chart.set_references(lines)

    def _curve(self, one: Drawn, plot: Plot, number: int, colours: Palette) -> Series | None:
        return mean_curve(
            one.runs,
            plot,
            axis=self.axis,
            smoothing=SMOOTHING[self.level],
            name=one.name,
            colour=colours.series[number % len(colours.series)],
            marker=letter_of(number),
        )

    def _arrange(self, plots: Sequence[Plot]) -> None:
        names = [plot.name for plot in plots]
        if names != self._shown:
            self._shown = names
            if self._chosen not in names and names:
                self._chosen = names[0]
            self._lay_out()

    def _lay_out(self) -> None:
        single = self.one or self.maximised
        width, height = self.size.width, self.size.height
        columns = max(1, min(3, width // 48))
        rows = max(1, height // 11)
        shown = [self._chosen] if single else self._shown[: max(columns * rows, 1)]
        if self._chosen not in shown and shown:
            shown[-1] = self._chosen
        for chart in self.charts:
            chart.display = chart.kind.name in shown
            chart.set_class(chart.kind.name == self._chosen and len(shown) > 1, "chosen")
        self.styles.grid_size_columns = 1 if single else _columns_for(len(shown), columns)
        self._fill_seen()

    def look_as(self, view: View) -> None:
        """Take over how charts were drawn, as far as it is possible here."""
        self.axis = next((known for known in AXES if known == view.axis), "step")
        self.level = max(0, min(view.smoothing, len(SMOOTHING) - 1))
        self.log_x, self.follows, self.maximised = view.log_x, view.follow, view.maximised
        self._chosen = next((plot.name for plot in PLOTS if plot.name == view.chart), self._chosen)
        for chart in self.charts:
            chart.log_x, chart.log_y = view.log_x, chart.kind.name in view.log_y
            chart.view = Viewport(view.span or None, view.end, view.follow)

    def looks(self) -> dict[str, Any]:
        """Return how charts are drawn, as `View` names it."""
        part = self.chosen.view
        return {
            "axis": self.axis,
            "smoothing": self.level,
            "log_x": self.log_x,
            "log_y": tuple(chart.kind.name for chart in self.charts if chart.log_y),
            "chart": self._chosen,
            "maximised": self.maximised,
            "span": part.span or 0.0,
            "end": part.end,
            "follow": self.follows,
        }

    # what keys do

    def choose(self, by: int) -> None:
        """Give the keys to another chart."""
        at = self._shown.index(self._chosen) if self._chosen in self._shown else 0
        self._chosen = self._shown[(at + by) % len(self._shown)]
        self._lay_out()
        self.chosen.focus()
        self.post_message(self.Changed())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click on a chart chooses it."""
        if isinstance(event.widget, GridChart) and event.widget.kind.name != self._chosen:
            self._chosen = event.widget.kind.name
            self._lay_out()
            self.post_message(self.Changed())

    def toggle_maximised(self) -> None:
        """Show the chosen chart alone, or all."""
        self.maximised = not self.maximised
        self._lay_out()
        self.post_message(self.Changed())

    def smooth(self, by: int) -> None:
        """Smooth more (1), less (-1) or not at all (0)."""
        self.level = max(0, min(self.level + by, len(SMOOTHING) - 1)) if by else 0
        self.post_message(self.Changed())

    def next_axis(self) -> None:
        """Take the next x axis; a zoomed part has no meaning on it."""
        self.axis = AXES[(AXES.index(self.axis) + 1) % len(AXES)]
        for chart in self.charts:
            chart.cursor_x = None
            chart.reset_view()
        self.post_message(self.Changed())

    def toggle_log_y(self) -> str:
        """Switch the chosen chart; raises `UsageError` where nothing is above 0."""
        chart = self.chosen
        wanted = not chart.log_y
        chart.log_y = wanted
        if chart.log_y != wanted:
            raise UsageError(f"no logarithmic axis: {chart.kind.title} has no value above 0")
        self.post_message(self.Changed())
        kind = "linear" if not wanted else "logarithmic on both sides of 0" if chart.symmetric else "logarithmic"
        return f"{chart.kind.title}: {kind} y axis"

    def toggle_log_x(self) -> str:
        """Switch the x axes of all charts."""
        self.log_x = not self.log_x
        for chart in self.charts:
            chart.log_x = self.log_x
        self._align()
        self.post_message(self.Changed())
        return f"{'logarithmic' if self.log_x else 'linear'} x axes"

    def toggle_follow(self) -> None:
        """Keep the newest point in view in all charts, or not."""
        self.follows = not self.follows
        for chart in self.charts:
            chart.follow = self.follows
        self.post_message(self.Changed())

    def on_chart_cursor_moved(self, message: Chart.CursorMoved) -> None:
        """Move the cursor in all charts."""
        message.stop()
        for chart in self.charts:
            chart.cursor_x = message.x

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        """Show the same part in all charts."""
        message.stop()
        self.follows = message.chart.follow
        for chart in self.charts:
            if chart is not message.chart:
                chart.view = message.chart.view
        self.post_message(self.Changed())

    def on_chart_scale_refused(self, message: Chart.ScaleRefused) -> None:
        """The key that asked says so itself."""
        message.stop()

    def describe(self, room: int) -> str:
        """Return in words how the charts are drawn, as much of it as there are columns."""
        app = dashboard(self.app)
        weight, count = SMOOTHING[self.level], len(self._shown)
        hidden = count - sum(bool(chart.display) for chart in self.charts)
        following = with_keys("<run.next-chart>", app.settings.keymap)
        parts = [f"{hidden} more {following}"] if hidden > 0 else []
        if hidden == count - 1 > 0 and self._chosen in self._shown:
            parts = [f"chart {self._shown.index(self._chosen) + 1}/{count} {following}"]
        parts += [f"x {AXIS_TITLES[self.axis]}", f"smoothing {weight:g}" if weight else "raw"]
        parts += ["log x"] if self.log_x else []
        parts += ["follows" if self.follows else "stays"]
        return " · ".join(fitting(parts, room, gap=3))


def _columns_for(count: int, most: int) -> int:
    """Return the columns that leave the fewest holes: 3 charts in a row if they fit, 4 as 2 x 2."""
    if count <= most:
        return max(1, count)
    return min(range(2, most + 1), key=lambda columns: (-count % columns, -columns), default=1)
