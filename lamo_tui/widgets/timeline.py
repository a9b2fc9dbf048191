"""An episode at a glance: the return over its decisions, rewards and lost lives, and where the playhead is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from textual import events
from textual.message import Message

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import ACCENT, FAINT, GRID, MUTED, STRONG, Cells, Paint
from lamo_tui.widgets.charts.raster import DOTS, MarkerMode, envelope, fill, pack, thin
from lamo_tui.widgets.charts.scales import format_value

_GROWTH = 1.25
_LEAST = 60
"""Decisions that the axis shows at least."""
_NEAR = 2.5
"""A target at most so many times the curve's height is drawn as a line; one further up would flatten the curve."""


@dataclass(frozen=True)
class Course:
    """An episode as the timeline draws it."""

    returns: NDArray[np.float64]
    """(T + 1,) before each decision and after the last; NaN leaves a gap."""
    colour: str = "accent"
    rewards: Sequence[int] = ()
    """Decisions that paid."""
    losses: Sequence[int] = ()
    """Decisions in which a life was lost."""
    changes: Sequence[int] = ()
    """Decisions at which another target was asked for."""
    persons: Sequence[int] = ()
    """1 for each decision that a person took."""
    ghost: NDArray[np.float64] | None = None
    """What was left at a branching."""
    over: bool = False


@dataclass(frozen=True)
class _Axes:
    left: int
    columns: int
    top: int
    rows: int
    end: int
    low: float
    high: float

    def column(self, at: float) -> int:
        return min(self.columns - 1, max(0, int(at * self.columns / self.end)))


@dataclass
class _Shown:
    courses: tuple[Course, ...] = ()
    at: int = 0
    target: float = math.nan
    key: tuple[object, ...] = field(default_factory=tuple)


class Timeline(Drawn):
    """One or two episodes over the same decisions; a click puts the playhead there.

    On top `•` is a reward, `✗` a lost life, `◆` another target; a thick line below says that a person played.
    """

    DEFAULT_CSS = "Timeline { height: 6; width: 1fr; }"

    class Chosen(Message):
        """A place was clicked."""

        def __init__(self, at: int) -> None:
            self.at = at
            super().__init__()

    def __init__(self, *, id: str | None = None, marker_mode: MarkerMode = "braille") -> None:
        super().__init__(id=id)
        self.marker_mode = marker_mode
        self._shown = _Shown()
        self._axes: _Axes | None = None

    def take_marker(self, marker: MarkerMode) -> None:
        """Draw curves with it."""
        if marker != self.marker_mode:
            self.marker_mode = marker
            self.redraw()

    def show(self, courses: Sequence[Course], at: int, target: float) -> None:
        """Show these episodes with the playhead before decision `at`, and the return that is asked for."""
        self._shown = _Shown(tuple(courses), at, target)
        self.redraw_changes()

    def on_click(self, event: events.Click) -> None:
        """Choose a place."""
        axes = self._axes
        if axes is not None and event.x >= axes.left:
            self.post_message(self.Chosen(round((event.x - axes.left + 0.5) * axes.end / axes.columns)))

    def picture(self, width: int, height: int) -> Cells:
        """Return the timeline at a size."""
        cells = Cells(width, height)
        shown = self._shown
        if not shown.courses:
            return cells
        axes = self._axes = self._measure(width, height)
        if axes.columns < 2 or axes.rows < 1:
            return cells
        self._draw_scale(cells, axes)
        for course in reversed(shown.courses):
            if course.ghost is not None:
                self._draw_curve(cells, axes, course.ghost, FAINT)
            self._draw_course(cells, axes, course)
        if axes.top:
            self._draw_marks(cells, axes, shown.courses)
        self._draw_playhead(cells, axes)
        return cells

    def _measure(self, width: int, height: int) -> _Axes:
        shown = self._shown
        curves = [course.returns for course in shown.courses]
        curves += [course.ghost for course in shown.courses if course.ghost is not None]
        known = np.concatenate([np.zeros(1), *(curve[np.isfinite(curve)] for curve in curves)])
        low, high = float(known.min()), float(known.max())
        if math.isfinite(shown.target) and low <= shown.target <= _NEAR * max(high, 1e-9):
            high = max(high, shown.target)
        if high - low < 1e-9:
            high = low + 1.0
        labels = max(len(format_value(low)), len(format_value(high))) + 1 if width >= 30 else 0
        top, bottom = (1, 1) if height >= 5 else (0, 1) if height >= 3 else (0, 0)
        return _Axes(labels, width - labels, top, height - top - bottom, self._end(), low, high)

    def _end(self) -> int:
        """Return the last decision of the axis; it grows in jumps, so that the curve stands still most of the time."""
        longest = max(len(course.returns) - 1 for course in self._shown.courses)
        ghosts = [len(course.ghost) - 1 for course in self._shown.courses if course.ghost is not None]
        longest = max([longest, *ghosts])
        if all(course.over for course in self._shown.courses) and longest:
            return longest
        end = float(_LEAST)
        while end < longest:
            end *= _GROWTH
        return round(end)

    def _draw_scale(self, cells: Cells, axes: _Axes) -> None:
        bottom = axes.top + axes.rows - 1
        target = self._shown.target
        if axes.left:
            cells.write(axes.top, 0, format_value(axes.high).rjust(axes.left - 1), MUTED)
            if axes.rows > 1:
                cells.write(bottom, 0, format_value(axes.low).rjust(axes.left - 1), MUTED)
        if axes.low <= target <= axes.high:
            row = axes.top + min(axes.rows - 1, int((axes.high - target) / (axes.high - axes.low) * axes.rows))
            cells.write(row, axes.left, "╌" * axes.columns, GRID)
        if axes.top + axes.rows < cells.height:
            cells.write(bottom + 1, axes.left, "─" * axes.columns, GRID)

    def _draw_course(self, cells: Cells, axes: _Axes, course: Course) -> None:
        at = self._shown.at
        # what is still to come is there, but pale
        self._draw_curve(cells, axes, course.returns, Paint(course.colour, 0.45))
        self._draw_curve(cells, axes, course.returns[: at + 1], Paint(course.colour))
        bottom = axes.top + axes.rows
        if bottom < cells.height:
            for decision in np.flatnonzero(course.persons):
                cells.write(bottom, axes.left + axes.column(int(decision)), "━", Paint("warning"))

    def _draw_curve(self, cells: Cells, axes: _Axes, returns: NDArray[np.float64], ink: Paint) -> None:
        if not len(returns):
            return
        tall, wide = DOTS[self.marker_mode]
        dots = axes.columns * wide
        x = np.arange(len(returns), dtype=np.float64)
        # one place wider than the axis, so that the last point is inside
        low, high = envelope(x, returns, 0.0, (axes.end + 1e-6) / dots * (1 + 1 / dots), dots)
        mask = thin(fill(low, high, axes.low, axes.high, axes.rows * tall))
        cells.draw(axes.top, axes.left, pack(mask, self.marker_mode), ink)

    def _draw_marks(self, cells: Cells, axes: _Axes, courses: Sequence[Course]) -> None:
        for course in reversed(courses):
            for places, glyph, ink in (
                (course.rewards, "•", Paint(course.colour)),
                (course.changes, "◆", Paint("warning", bold=True)),
                (course.losses, "✗", Paint("error", bold=True)),
            ):
                for column in sorted({axes.column(place) for place in places}):
                    cells.write(0, axes.left + column, glyph, ink)

    def _draw_playhead(self, cells: Cells, axes: _Axes) -> None:
        at = self._shown.at
        column = axes.left + axes.column(at)
        column_mask = np.ones((axes.rows, 1), np.bool_)
        cells.shade(axes.top, column, column_mask, Paint("accent", 0.3))
        bottom = axes.top + axes.rows
        if bottom >= cells.height:
            return
        cells.write(bottom, column, "▲", ACCENT)
        label, end = f"{at}", f"{axes.end}"
        right = cells.width - len(end)
        behind = column + 2 + len(label) < right - 1
        cells.write(bottom, max(axes.left, column + 2 if behind else column - 1 - len(label)), label, STRONG)
        if column + 1 < right:
            cells.write(bottom, right, end, MUTED)
