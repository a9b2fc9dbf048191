"""The picture of a chart as a widget: what is shown, on which axes, and which part of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from textual.message import Message
from textual.reactive import reactive

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import Cells
from lamo_tui.widgets.charts.plot import draw_plot
from lamo_tui.widgets.charts.plot_parts import Plot, XKind, columns_of, lay_out
from lamo_tui.widgets.charts.raster import MarkerMode
from lamo_tui.widgets.charts.series import Curve, Mark, Reference, Series, make_curve
from lamo_tui.widgets.charts.viewport import Viewport, Window


class ChartPicture(Drawn):
    """Curves over one x axis, with reference lines.

    `set_series` may be called at every tick: nothing is drawn unless something changed. `cursor_x` is a place on
    the x axis in data units.
    """

    DEFAULT_CSS = """
    ChartPicture { height: 1fr; min-height: 3; }
    """

    title: reactive[str] = reactive("")
    log_x: reactive[bool] = reactive(False)
    log_y: reactive[bool] = reactive(False)
    follow: reactive[bool] = reactive(True)
    marker_mode: reactive[MarkerMode] = reactive[MarkerMode]("braille")
    cursor_x: reactive[float | None] = reactive[float | None](None)
    x_name: reactive[str] = reactive("step")
    x_kind: reactive[XKind] = reactive[XKind]("count")
    """`seconds` writes the x axis as times."""

    class ScaleRefused(Message, namespace="chart"):
        """A log axis (`x` or `y`) is impossible, for the `reason` given as a sentence."""

        def __init__(self, chart: ChartPicture, axis: str, reason: str) -> None:
            super().__init__()
            self.chart, self.axis, self.reason = chart, axis, reason

        @property
        def control(self) -> ChartPicture:
            """The chart."""
            return self.chart

    def __init__(
        self, title: str = "", *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._series: list[Series] = []
        self._references: list[Reference] = []
        self._marks: list[Mark] = []
        self._curves: list[Curve] = []
        self._view = Viewport()
        self._reach: tuple[float, float] | None = None
        self.symmetric = False
        """Whether the logarithmic y axis goes on below 0, as values that are not positive make it."""
        self.set_reactive(ChartPicture.title, title)

    # What is shown

    @property
    def series(self) -> list[Series]:
        """The curves as they were set."""
        return list(self._series)

    @property
    def references(self) -> list[Reference]:
        """The reference lines as they were set."""
        return list(self._references)

    @property
    def view(self) -> Viewport:
        """The part of the x axis that is shown; setting it sends no message."""
        return self._view

    @view.setter
    def view(self, view: Viewport) -> None:
        if view != self._view:
            self._view = view
            self.follow = view.follow
            self.redraw()

    def set_series(self, series: Sequence[Series]) -> None:
        """Show these curves, later ones on top; equal content changes nothing."""
        old = self._series
        if len(series) == len(old) and all(new.same_as(one) for new, one in zip(series, old, strict=True)):
            return
        ready = {id(curve.series): curve for curve in self._curves}
        self._series = list(series)
        for axis in ("x", "y"):
            if (self.log_x if axis == "x" else self.log_y) and (reason := self._refusal(axis)):
                self.set_reactive(ChartPicture.log_x if axis == "x" else ChartPicture.log_y, False)
                self.post_message(self.ScaleRefused(self, axis, reason))
                ready = {}
        if self._find_symmetry():
            ready = {}
        self._curves = [ready.get(id(one)) or self._curve(one) for one in self._series]
        self.redraw_changes()

    def set_references(self, references: Sequence[Reference]) -> None:
        """Show these horizontal lines."""
        if list(references) != self._references:
            self._references = list(references)
            self.redraw()

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Show these vertical lines."""
        if list(marks) != self._marks:
            self._marks = list(marks)
            self.redraw()

    def plot(self) -> Plot:
        """Return what is shown, without a size."""
        return Plot(
            self.title,
            self._curves,
            self._references,
            self.log_x,
            self.log_y,
            self.marker_mode,
            self.x_kind,
            self.x_name,
            self.cursor_x,
            focused=self.has_focus,
            symmetric=self.symmetric,
            marks=self._marks,
        )

    def picture(self, width: int, height: int) -> Cells:
        """Return the chart at a size."""
        return draw_plot(self.plot(), self.window(columns_of(width, height, self.marker_mode)), width, height)

    # Geometry

    def own_ends(self) -> tuple[float, float] | None:
        """Return where its curves begin and end on the x axis; None without data."""
        filled = [curve.x for curve in self._curves if len(curve.x)]
        if not filled:
            return None
        return float(min(x[0] for x in filled)), float(max(x[-1] for x in filled))

    def reach(self, ends: tuple[float, float] | None) -> None:
        """Let the x axis reach as far as those of charts beside it, so that the same place lies in the same column."""
        if ends != self._reach:
            self._reach = ends
            self.redraw_changes()

    def _ends(self) -> tuple[float, float] | None:
        own, far = self.own_ends(), self._reach
        return own if own is None or far is None else (min(own[0], far[0]), max(own[1], far[1]))

    def _columns(self) -> int:
        return columns_of(max(1, self.size.width), max(1, self.size.height), self.marker_mode)

    def window(self, columns: int) -> Window | None:
        """Return the part of the x axis in view, cut into columns; None without data."""
        ends = self._ends()
        return None if ends is None else self._view.window(*ends, columns)

    def _place_at(self, x_cell: float) -> float | None:
        """Return the axis value under a column of the widget."""
        window = self.window(self._columns())
        if window is None:
            return None
        layout = lay_out(max(1, self.size.width), max(1, self.size.height))
        share = (x_cell - layout.column + 0.5) / layout.width
        return window.start + min(1.0, max(0.0, share)) * (window.end - window.start)

    def _in_data(self, place: float) -> float:
        return 10.0 ** min(300.0, place) if self.log_x else place

    def _on_axis(self, x: float) -> float:
        return float(np.log10(max(x, 1e-300))) if self.log_x else x

    def _sample(self, place: float, direction: int) -> float:
        """Return the place of the sample at or beyond `place`: rightwards (1), leftwards (-1), or the nearest (0)."""
        near: list[float] = []
        for x in (curve.x for curve in self._curves if len(curve.x)):
            after = int(np.searchsorted(x, place))
            near += [float(x[index]) for index in (after - 1, after) if 0 <= index < len(x)]
        wanted = [value for value in near if direction == 0 or (value - place) * direction >= 0] or near
        return min(wanted, key=lambda value: abs(value - place), default=place)

    # Scales

    def _curve(self, series: Series) -> Curve:
        return make_curve(series, self.log_x, self.log_y, self.symmetric)

    def _find_symmetry(self) -> bool:
        """Find out whether values that are not positive need a place on a log axis; returns whether that is news."""
        before = self.symmetric
        parts = [part for one in self._series for part in (one.y, one.low) if part is not None]
        self.symmetric = self.log_y and any(bool((part <= 0).any()) for part in parts)
        return self.symmetric != before

    def _refusal(self, axis: str) -> str:
        """Return why the axis cannot be logarithmic, or nothing; no data refuse nothing."""
        values = [one.x if axis == "x" else one.y for one in self._series]
        if not any(len(part) for part in values) or any(bool((part > 0).any()) for part in values):
            return ""
        return f"no log {axis}: {self.title or 'this chart'} has no value above 0"

    def _validated(self, axis: str, wanted: bool) -> bool:
        reason = self._refusal(axis) if wanted else ""
        if reason:
            self.post_message(self.ScaleRefused(self, axis, reason))
        return wanted and not reason

    def validate_log_y(self, wanted: bool) -> bool:
        """Refuse a log axis without positive values."""
        return self._validated("y", wanted)

    def validate_log_x(self, wanted: bool) -> bool:
        """Refuse a log axis without positive values."""
        return self._validated("x", wanted)

    def watch_log_y(self) -> None:
        """Take logarithms."""
        self._find_symmetry()
        self._curves = [self._curve(one) for one in self._series]
        self.redraw()

    def watch_log_x(self) -> None:
        """Take logarithms, and show everything: a zoomed part has no meaning on the other axis."""
        self._view = Viewport(follow=self.follow)
        self.watch_log_y()

    def watch_follow(self, follow: bool) -> None:
        """Let go of the newest point, or take hold of it again."""
        ends = self._ends()
        if ends is not None and follow != self._view.follow:
            self._view = self._view.following(follow, *ends, self._columns())
            self.redraw()

    def watch_has_focus(self, focused: bool) -> None:
        """Show where the keys go."""
        super().watch_has_focus(focused)
        self.redraw()

    def _watch_looks(self) -> None:
        self.redraw()

    watch_title = watch_marker_mode = watch_cursor_x = watch_x_name = watch_x_kind = _watch_looks
