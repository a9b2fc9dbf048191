"""Where the policy looks: attention of its decision over the steps of its context, newest on the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import FAINT, MUTED, Cells, Paint

_BARS = " ▁▂▃▄▅▆▇█"
_KINDS = ("return", "state", "action")
_LABEL = 8


class AttentionStrip(Drawn):
    """Bars for each step of the context: three lines for return, state and action, or one for their sum.

    A bar's height and its strength both say how much; the highest is full.
    """

    DEFAULT_CSS = "AttentionStrip { height: 4; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._weights: NDArray[np.float64] | None = None
        self._why = ""

    def show(self, weights: Sequence[Sequence[float]] | None, why: str = "") -> None:
        """Show weights (C, 3), oldest step first; None shows `why` there are none."""
        self._weights = None if weights is None else np.asarray(weights, np.float64).reshape(-1, 3)
        self._why = why
        self.redraw_changes()

    def picture(self, width: int, height: int) -> Cells:
        """Return the strip at a size."""
        cells = Cells(width, height)
        weights = self._weights
        if weights is None or not len(weights):
            cells.write(0, 0, (self._why or "no attention yet")[:width], FAINT)
            return cells
        kinds = height >= 3 and width >= 20
        label = _LABEL if kinds else 0
        lines = weights.T if kinds else weights.sum(1)[None]
        steps = min(weights.shape[0], max(1, width - label))
        cell = max(1, (width - label) // steps)
        # taller bars say more than an axis does
        per_line = max(1, min(4, height // len(lines)))
        lines = lines[:, -steps:]
        most = max(float(lines.max()), 1e-9)
        for number, line in enumerate(lines):
            if kinds:
                cells.write((number + 1) * per_line - 1, 0, _KINDS[number], MUTED)
            for step, value in enumerate(line):
                _draw_bar(cells, number * per_line, label + step * cell, cell, per_line, float(value) / most)
        if height > per_line * len(lines):
            self._draw_axis(cells, per_line * len(lines), label, steps, cell)
        return cells

    def _draw_axis(self, cells: Cells, row: int, label: int, steps: int, cell: int) -> None:
        end = label + steps * cell
        first = f"{1 - steps}" if steps > 1 else ""
        cells.write(row, label, first, MUTED)
        if end - label >= len(first) + 4:
            cells.write(row, end - max(3, cell), "now".rjust(max(3, cell))[-max(3, cell) :], MUTED)


def _draw_bar(cells: Cells, top: int, left: int, wide: int, tall: int, share: float) -> None:
    eighths = round(share * (tall * 8 - (tall > 1)))  # a gap to the line above
    ink = Paint("accent", 0.35 + 0.65 * min(1.0, share))
    drawn = max(1, wide - 1) if wide > 1 else 1
    for line in range(tall):
        part = min(8, max(0, eighths - 8 * (tall - 1 - line)))
        last = line == tall - 1
        glyph = _BARS[part] if part else "▁" if last else " "
        cells.write(top + line, left, glyph * drawn, ink if part else FAINT)
