"""A matrix of scores: rows and columns of experiments, each cell a mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from lamo_core.wording import counted
from lamo_tui.keys.bindings import bindings_of
from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import ACCENT, FAINT, MUTED, STRONG, TEXT, Cells, Paint, shorten
from lamo_tui.widgets.charts.scales import format_value

_WIDEST = 18


@dataclass(frozen=True)
class Score:
    """The mean of a cell, the ends of its interval (None: too few seeds for one), and how many seeds it is of."""

    mean: float
    low: float | None = None
    high: float | None = None
    seeds: int = 1
    note: str = ""
    """A word instead of the interval, such as `running`."""


class Heatmap(Drawn, can_focus=True):
    """Cells of two lines, the mean above its interval; better ones have more of the accent colour behind them.

    With a row to compare with, means say their difference to it and are shaded by it: above it in one colour, below in
    another, and not at all where it lies within their interval. The shade repeats what the numbers say. Arrow keys
    move, Enter chooses; columns that do not fit scroll.
    """

    DEFAULT_CSS = "Heatmap { height: 1fr; width: 1fr; }"
    BINDINGS = bindings_of("cells")

    class CellMoved(Message):
        """The cursor is on another cell."""

        def __init__(self, heatmap: Heatmap, row: str, column: str) -> None:
            super().__init__()
            self.heatmap, self.row, self.column = heatmap, row, column

    class CellChosen(CellMoved):
        """Enter or a click on the cell under the cursor; it may be empty."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._rows: tuple[str, ...] = ()
        self._columns: tuple[str, ...] = ()
        self._scores: dict[tuple[str, str], Score] = {}
        self._base: str | None = None
        self._at = (0, 0)
        self._moved = False
        """Whether somebody chose the place of the cursor."""
        self._first = (0, 0)

    @property
    def cell(self) -> tuple[str, str] | None:
        """Row and column under the cursor."""
        if not self._rows or not self._columns:
            return None
        return self._rows[self._at[0]], self._columns[self._at[1]]

    def show(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        scores: Mapping[tuple[str, str], Score],
        base: str | None = None,
    ) -> None:
        """Show a matrix; cells missing in `scores` are empty. `base` is the row that the others are compared with.

        The cursor stays on the cell that it was moved to; otherwise it is on the first that has something to show.
        """
        state = tuple(rows), tuple(columns), dict(scores)
        if (*state, base) == (self._rows, self._columns, self._scores, self._base):
            return
        self._base = base
        cell = self.cell
        self._rows, self._columns, self._scores = state
        self._moved = self._moved and cell is not None and cell[0] in rows and cell[1] in columns
        if self._moved and cell is not None:
            self._at = self._rows.index(cell[0]), self._columns.index(cell[1])
        else:
            self._at = self._first_filled()
        self.redraw()

    def _first_filled(self) -> tuple[int, int]:
        places = ((row, column) for row in range(len(self._rows)) for column in range(len(self._columns)))
        filled = (at for at in places if (self._rows[at[0]], self._columns[at[1]]) in self._scores)
        return next(filled, (0, 0))

    def watch_has_focus(self, focused: bool) -> None:
        """Show where the keys go."""
        super().watch_has_focus(focused)
        self.redraw()

    def action_move(self, down: int, right: int) -> None:
        """Move the cursor."""
        self._go(self._at[0] + down, self._at[1] + right)

    def _go(self, row: int, column: int) -> None:
        if self.cell is None:
            return
        at = (min(max(0, row), len(self._rows) - 1), min(max(0, column), len(self._columns) - 1))
        self._moved = True
        if at != self._at:
            self._at = at
            self.redraw()
            self.post_message(self.CellMoved(self, *self.cell))

    def action_choose(self) -> None:
        """Choose the cell under the cursor."""
        if self.cell is not None:
            self.post_message(self.CellChosen(self, *self.cell))

    def on_click(self, event: events.Click) -> None:
        """Move to the cell under the pointer; choose it when it is there already."""
        label, wide, tall = self._measures(self.size.width, self.size.height)
        row, column = (event.y - 1) // tall + self._first[0], (event.x - label) // wide + self._first[1]
        if event.y < 1 or event.x < label or row >= len(self._rows) or column >= len(self._columns):
            return
        if (row, column) == self._at:
            self.action_choose()
        self._go(row, column)

    def _measures(self, width: int, height: int) -> tuple[int, int, int]:
        """Return the columns of the row names, and width and height of a cell with the gap after it."""
        label = min(max((len(name) for name in self._rows), default=0), max(4, width // 4)) + 2
        wide = max(9, min(_WIDEST, (width - label) // max(1, len(self._columns))))
        rows = max(1, len(self._rows))
        tall = 3 if height - 1 >= 3 * rows else 2 if height - 1 >= 2 * rows else 1
        return label, wide, tall

    def picture(self, width: int, height: int) -> Cells:
        """Return the matrix at a size."""
        cells = Cells(width, height)
        if self.cell is None:
            cells.write(height // 2, 0, "nothing to compare yet".center(width), FAINT)
            return cells
        label, wide, tall = self._measures(width, height)
        shown_rows, shown_columns = max(1, (height - 1) // tall), max(1, (width - label) // wide)
        self._first = (
            _scrolled(self._first[0], self._at[0], shown_rows),
            _scrolled(self._first[1], self._at[1], shown_columns),
        )
        columns = range(self._first[1], min(len(self._columns), self._first[1] + shown_columns))
        for place, column in enumerate(columns):
            ink = STRONG if column == self._at[1] else MUTED
            cells.write(0, label + place * wide, shorten(self._columns[column], wide - 1).center(wide - 1), ink)
        for line, row in enumerate(range(self._first[0], min(len(self._rows), self._first[0] + shown_rows))):
            ink = STRONG if row == self._at[0] else MUTED
            cells.write(1 + line * tall, 0, shorten(self._rows[row], label - 2), ink)
            for place, column in enumerate(columns):
                self._draw_cell(cells, 1 + line * tall, label + place * wide, wide - 1, min(tall, 2), row, column)
        self._draw_more(cells, shown_rows, shown_columns)
        return cells

    def _draw_more(self, cells: Cells, shown_rows: int, shown_columns: int) -> None:
        more = "".join(
            sign
            for sign, there in (
                ("◂", self._first[1] > 0),
                ("▸", self._first[1] + shown_columns < len(self._columns)),
                ("▴", self._first[0] > 0),
                ("▾", self._first[0] + shown_rows < len(self._rows)),
            )
            if there
        )
        cells.write(0, 0, more, ACCENT)

    def _share(self, mean: float) -> float:
        means = [score.mean for score in self._scores.values() if math.isfinite(score.mean)]
        low, high = min(means), max(means)
        return (mean - low) / (high - low) if high > low else 0.5

    def difference(self, row: str, column: str) -> float:
        """Return how far a cell's mean is above that of the row to compare with; NaN where there are not both."""
        score, base = self._scores.get((row, column)), self._scores.get((self._base or "", column))
        return math.nan if score is None or base is None or row == self._base else score.mean - base.mean

    def _paper(self, row: str, column: str) -> Paint:
        score, by = self._scores[row, column], self.difference(row, column)
        if self._base is None:
            return Paint("accent", 0.08 + 0.42 * self._share(score.mean))
        if not math.isfinite(by) or _within(score, by):
            return Paint("text", 0.07)
        every = [abs(self.difference(*place)) for place in self._scores]
        largest = max((size for size in every if math.isfinite(size)), default=1.0)
        return Paint("success" if by > 0 else "error", 0.1 + 0.36 * abs(by) / (largest or 1.0))

    def _draw_cell(self, cells: Cells, top: int, left: int, wide: int, tall: int, row: int, column: int) -> None:
        score = self._scores.get((self._rows[row], self._columns[column]))
        here = (row, column) == self._at
        lines, paper = ["·", ""], Paint("text", 0.04)
        if score is not None:
            lines = [format_value(score.mean), score.note or _interval(score, wide - 2)]
            by = self.difference(self._rows[row], self._columns[column])
            if math.isfinite(by) and len(both := f"{lines[0]} {'+' if by >= 0 else ''}{format_value(by)}") <= wide - 2:
                lines[0] = both
            if math.isfinite(score.mean):
                paper = self._paper(self._rows[row], self._columns[column])
        for line in range(tall):
            text = shorten(lines[line], wide - 2).center(wide)
            if here:
                text = "▌" + text[1:-1] + "▐"
            ink = (FAINT if score is None else STRONG) if line == 0 else Paint("text", 0.75)
            cells.write(top + line, left, text, ink, paper)
            if here:
                edge = ACCENT if self.has_focus else TEXT
                cells.write(top + line, left, "▌", edge, paper)
                cells.write(top + line, left + wide - 1, "▐", edge, paper)


def _within(score: Score, by: float) -> bool:
    """Say whether the mean without the difference lies in the interval, which then may be chance."""
    if score.low is None or score.high is None:
        return True
    return score.low <= score.mean - by <= score.high


def _scrolled(first: int, at: int, shown: int) -> int:
    return min(max(first, at - shown + 1), at)


def _interval(score: Score, room: int) -> str:
    if score.low is None or score.high is None:
        return counted(score.seeds, "seed")
    text = f"{format_value(score.low)}–{format_value(score.high)}"
    if len(text) > room and math.isfinite(score.low) and math.isfinite(score.high) and abs(score.high) >= 10:
        return f"{format_value(round(score.low))}–{format_value(round(score.high))}"
    return text
