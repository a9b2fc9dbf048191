"""A chart of curves in a terminal: follows a running training, zooms, pans, reads out values under a cursor."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from lamo_tui.widgets.charts.chart_picture import ChartPicture
from lamo_tui.widgets.charts.plot_parts import lay_out
from lamo_tui.widgets.charts.raster import DOTS, MARKER_MODES
from lamo_tui.widgets.charts.viewport import Viewport

ZOOM_STEP = 1.5
"""How much a key press or a notch of the wheel zooms."""


class Chart(ChartPicture, can_focus=True):
    """Curves over one x axis that keys and mouse zoom, pan and read out.

    Set `cursor_x` and `view` from outside to keep several charts together: only what the user does sends
    `CursorMoved` and `ViewChanged`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor(-1)", "Cursor left", id="chart.cursor-left", show=False),
        Binding("right", "cursor(1)", "Cursor right", id="chart.cursor-right", show=False),
        Binding("home", "cursor_end(False)", "Cursor to the first point", id="chart.cursor-first", show=False),
        Binding("end", "cursor_end(True)", "Cursor to the newest point", id="chart.cursor-newest", show=False),
        Binding("escape", "cursor_off", "Cursor off", id="chart.cursor-off", show=False),
        Binding("shift+left", "pan(-0.2)", "Pan left", id="chart.pan-left", show=False),
        Binding("shift+right", "pan(0.2)", "Pan right", id="chart.pan-right", show=False),
        Binding("z,ctrl+up", "zoom(True)", "Zoom in", id="chart.zoom-in", show=False),
        Binding("Z,ctrl+down", "zoom(False)", "Zoom out", id="chart.zoom-out", show=False),
        Binding("backspace", "reset_view", "Show everything", id="chart.reset", show=False),
        Binding("f", "follow", "Follow the newest point", id="chart.follow", show=False),
        Binding("y", "log('y')", "Log y", id="chart.log-y", show=False),
        Binding("X", "log('x')", "Log x", id="chart.log-x", show=False),
        Binding("m", "marker", "Marker: braille, block, ascii", id="chart.marker", show=False),
    ]

    class CursorMoved(Message):
        """The user moved the cursor to `x` (data units), or put it away (None)."""

        def __init__(self, chart: Chart, x: float | None) -> None:
            super().__init__()
            self.chart, self.x = chart, x

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    class ViewChanged(Message):
        """The user zoomed or panned; `chart.view` put into another chart's `view` shows the same part."""

        def __init__(self, chart: Chart) -> None:
            super().__init__()
            self.chart = chart

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    def __init__(
        self, title: str = "", *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(title, name=name, id=id, classes=classes)
        self._drag_from: tuple[int, Viewport] | None = None
        self._pinned = False

    def _change_view(self, view: Viewport) -> None:
        if view != self._view:
            self.view = view
            self.post_message(self.ViewChanged(self))

    def zoom(self, factor: float, centre: float | None = None) -> None:
        """Show `factor` times the detail around `centre` (data units; None: the cursor, or the newest point)."""
        ends = self._ends()
        if ends is not None:
            place = centre if centre is not None else self.cursor_x
            at = None if place is None else self._on_axis(place)
            self._change_view(self._view.zoomed(factor, at, *ends, self._columns()))

    def pan(self, share: float) -> None:
        """Move the view by `share` of its width; to the right is positive."""
        ends = self._ends()
        if ends is not None:
            self._change_view(self._view.panned(share, *ends, self._columns()))

    def reset_view(self) -> None:
        """Show everything and follow the newest point."""
        self._change_view(Viewport())

    def move_cursor(self, x: float | None) -> None:
        """Put the cursor at `x` on the user's behalf: tells the listeners."""
        if x != self.cursor_x:
            self.cursor_x = x
            self.post_message(self.CursorMoved(self, x))

    def action_cursor(self, columns: int) -> None:
        """Move the cursor by at least one column of cells to a sample; at first it comes up at the newest in view."""
        window, ends = self.window(self._columns()), self._ends()
        if window is None or ends is None:
            return
        self._pinned = True
        if self.cursor_x is None:
            self._go_to(min(window.end, ends[1]), 0)
            return
        step = window.width * DOTS[self.marker_mode][1]
        place = self._on_axis(self.cursor_x) + columns * step
        self._go_to(min(max(place, ends[0], window.start), ends[1], window.end), columns)

    def _go_to(self, place: float, direction: int) -> None:
        """Put the cursor on the sample at `place` or beyond, so that it reads out what was recorded."""
        self.move_cursor(self._in_data(self._sample(place, direction)))

    def action_cursor_end(self, newest: bool) -> None:
        """Move the cursor to the first or the newest point."""
        ends = self.own_ends()
        if ends is not None:
            self._pinned = True
            self.move_cursor(self._in_data(ends[1] if newest else ends[0]))

    def action_cursor_off(self) -> None:
        """Put the cursor away."""
        self._pinned = False
        self.move_cursor(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys to the screen that would do nothing here: no cursor to put away, no zoom to undo."""
        if action == "cursor_off":
            return self.cursor_x is not None
        return self.view.span is not None if action == "reset_view" else True

    def action_pan(self, share: float) -> None:
        """Pan by a share of the view."""
        self.pan(share)

    def action_zoom(self, closer: bool) -> None:
        """Zoom one step."""
        self.zoom(ZOOM_STEP if closer else 1 / ZOOM_STEP)

    def action_reset_view(self) -> None:
        """Show everything."""
        self.reset_view()

    def action_follow(self) -> None:
        """Follow the newest point, or stay."""
        self.follow = not self.follow

    def action_log(self, axis: str) -> None:
        """Switch an axis between linear and logarithmic."""
        if axis == "y":
            self.log_y = not self.log_y
        else:
            self.log_x = not self.log_x

    def action_marker(self) -> None:
        """Go on to the next kind of marker."""
        self.marker_mode = MARKER_MODES[(MARKER_MODES.index(self.marker_mode) + 1) % len(MARKER_MODES)]

    # Mouse: the wheel zooms around the pointer, dragging pans, a click pins the cursor, hovering moves it

    def _wheel(self, event: events.MouseScrollUp | events.MouseScrollDown, factor: float) -> None:
        place = self._place_at(event.x)
        if place is not None and not event.shift:
            self.zoom(factor, self._in_data(place))
        elif place is not None:
            self.pan(0.1 if factor < 1 else -0.1)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in around the pointer; with shift pan left."""
        self._wheel(event, ZOOM_STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out around the pointer; with shift pan right."""
        self._wheel(event, 1 / ZOOM_STEP)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag."""
        self._drag_from = (event.x, self._view)
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Pan while dragging, else let the cursor follow the pointer unless it is pinned."""
        ends = self._ends()
        if self._drag_from is not None and ends is not None:
            start, view = self._drag_from
            share = (start - event.x) / lay_out(max(1, self.size.width), max(1, self.size.height)).width
            self._change_view(view.panned(share, *ends, self._columns()))
        elif not self._pinned and (place := self._place_at(event.x)) is not None:
            self._go_to(place, 0)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End dragging; where the pointer did not move, pin the cursor or let go of it."""
        self.release_mouse()
        if self._drag_from is not None and self._drag_from[0] == event.x:
            place = self._place_at(event.x)
            self._pinned = not self._pinned
            if place is not None:
                self._go_to(place, 0)
        self._drag_from = None

    def on_leave(self) -> None:
        """Put away a cursor that only followed the pointer."""
        if not self._pinned:
            self.move_cursor(None)
