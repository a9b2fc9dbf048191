"""How values are spread, as columns: the returns of a data set, or of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import FAINT, MUTED, STRONG, Cells, Paint
from lamo_tui.widgets.charts.scales import format_count, format_value
from lamo_tui.widgets.charts.series import Reference

_BARS = " ▁▂▃▄▅▆▇█"


class Histogram(Drawn):
    """One column of cells per bin, its height to an eighth of a cell; the ends of the axis and marks below.

    The head line says how many values there are, and their mean.
    """

    DEFAULT_CSS = "Histogram { height: 6; width: 1fr; }"

    def __init__(
        self, title: str = "", *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._title = title
        self._values: NDArray[np.float64] = np.zeros(0)
        self._marks: tuple[Reference, ...] = ()

    def show(self, values: NDArray[np.float64], marks: Sequence[Reference] = ()) -> None:
        """Show the spread of `values` (N,), with `marks` at places on the x axis; NaN and infinity are left out."""
        values = np.asarray(values, np.float64)
        values = np.clip(values[np.isfinite(values)], -1e150, 1e150)
        if not np.array_equal(values, self._values) or tuple(marks) != self._marks:
            self._values, self._marks = values, tuple(marks)
            self.redraw()

    def picture(self, width: int, height: int) -> Cells:
        """Return the histogram at a size."""
        cells = Cells(width, height)
        head, axis = int(height >= 3), int(height >= 4)
        if head:
            cells.write(0, 0, self._title, STRONG)
            if len(self._values):
                note = f"{format_count(len(self._values))} · mean {format_value(float(self._values.mean()))}"
                cells.write(0, max(len(self._title) + 2, width - len(note)), note, MUTED)
        if not len(self._values):
            cells.write(height // 2, 0, "no data yet".center(width), FAINT)
            return cells
        low, high = self._ends()
        counts, _ = np.histogram(self._values, bins=width, range=(low, high))
        _draw_columns(cells, counts, head, height - head - axis)
        if axis:
            self._draw_axis(cells, low, high, height - 1)
        return cells

    def _ends(self) -> tuple[float, float]:
        places = [mark.y for mark in self._marks if math.isfinite(mark.y)]
        low, high = float(self._values.min()), float(self._values.max())
        reach = max(high - low, 1e-9 * max(abs(low), abs(high)), 1e-200)
        # A mark far away would press all columns together.
        near = [place for place in places if low - reach <= place <= high + reach]
        low, high = min([low, *near]), max([high, *near])
        if high - low > 1e-9 * max(abs(low), abs(high), 1e-150):
            return low, high
        half = max(abs(low) * 0.1, 1e-3)
        return low - half, high + half

    def _draw_axis(self, cells: Cells, low: float, high: float, row: int) -> None:
        left, right = format_value(low), format_value(high)
        cells.write(row, 0, left, MUTED)
        cells.write(row, max(len(left) + 1, cells.width - len(right)), right, MUTED)
        free, last = len(left) + 1, cells.width - len(right) - 1
        for mark in sorted(self._marks, key=lambda mark: mark.y):
            if not low <= mark.y <= high:
                continue
            column = min(cells.width - 1, math.floor((mark.y - low) / (high - low) * cells.width))
            for line in range(1, row):
                if chr(cells.glyphs[line, column]) == " ":
                    cells.write(line, column, "╎", Paint(mark.colour, 0.6))
            text = f"{mark.name} {format_value(mark.y)}"
            start = min(max(free, column - len(text) // 2), last - len(text))
            if start >= free:
                free = cells.write(row, start, text, Paint(mark.colour)) + 2


def _draw_columns(cells: Cells, counts: NDArray[np.int64], top: int, rows: int) -> None:
    eighths = np.ceil(counts / max(1, counts.max()) * rows * 8)
    row = np.arange(rows)[:, None]
    levels = np.clip(eighths - 8 * (rows - 1 - row), 0, 8).astype(np.intp)
    glyphs = np.array([ord(bar) for bar in _BARS], np.uint32)[levels]
    glyphs[levels == 0] = 0
    cells.draw(top, 0, glyphs, Paint("accent", 0.8))
