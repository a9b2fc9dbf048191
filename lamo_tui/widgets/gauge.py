"""The return that was asked for, what has been achieved of it, and what remains."""

from __future__ import annotations

import math

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import FAINT, MUTED, STRONG, WARNING, Cells, Paint
from lamo_tui.widgets.charts.scales import format_value

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar_text(share: float, width: int) -> str:
    """Return a bar that fills `share` of `width` cells, to an eighth of a cell."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8) if math.isfinite(share) else 0
    text = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return text.ljust(width)[:width]


class ReturnGauge(Drawn):
    """Three lines: asked, achieved, remaining; a fourth, if there is room, is a bar from nothing to the target.

    `remaining` is the return-to-go that the policy is given next; it is negative when more was achieved than asked.
    """

    DEFAULT_CSS = "ReturnGauge { height: 4; width: 1fr; }"

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._values: tuple[float, float, float] | None = None

    def show(self, asked: float, achieved: float, remaining: float | None = None) -> None:
        """Show these raw returns; `remaining` is asked - achieved unless it is given."""
        values = (asked, achieved, asked - achieved if remaining is None else remaining)
        if values != self._values:
            self._values = values
            self.redraw_changes()

    def picture(self, width: int, height: int) -> Cells:
        """Return the gauge at a size."""
        cells = Cells(width, height)
        asked, achieved, remaining = self._values or (math.nan,) * 3
        done = math.isfinite(remaining) and remaining <= 0
        lines = (
            ("asked", asked, MUTED),
            ("achieved", achieved, STRONG),
            ("beyond" if remaining < 0 else "to go", abs(remaining), Paint("success") if done else WARNING),
        )
        if height < 3:
            text = f"{format_value(achieved)} of {format_value(asked)}"
            cells.write(0, 0, text, STRONG)
            row = 1
        else:
            for row, (label, value, ink) in enumerate(lines):
                cells.write(row, 0, label, MUTED)
                text = format_value(value)
                cells.write(row, max(10, min(width, 20) - len(text)), text, ink)
            row = 3
        if row < height:
            share = _share(asked, achieved)
            cells.write(row, 0, "─" * width, FAINT)
            cells.write(row, 0, bar_text(share, width).rstrip(), Paint("success" if done else "accent"))
        return cells


def _share(asked: float, achieved: float) -> float:
    """Return how much of the way from nothing to `asked` is done; a negative target counts from twice below."""
    if not (math.isfinite(asked) and math.isfinite(achieved)):
        return 0.0
    if asked > 0:
        return achieved / asked
    return 1.0 if achieved >= asked else max(0.0, 2 - achieved / asked) if asked < 0 else 0.0
