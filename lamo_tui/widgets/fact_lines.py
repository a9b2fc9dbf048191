"""Names and values, one pair a line; only lines that changed are sent."""

from __future__ import annotations

from collections.abc import Sequence

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import MUTED, TEXT, Cells, shorten

_LEAST, _MOST = 12, 20
"""Columns of the names."""


class FactLines(Drawn):
    """Lines such as `lives       3`; with less room than lines the last ones are left out."""

    DEFAULT_CSS = "FactLines { height: 1fr; width: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[tuple[str, str], ...] = ()

    def show(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show these names and values."""
        if tuple(lines) != self._lines:
            self._lines = tuple(lines)
            self.redraw_changes()

    def picture(self, width: int, height: int) -> Cells:
        """Return the lines at a size."""
        cells = Cells(width, height)
        longest = max((len(name) for name, _ in self._lines), default=0)
        wide = min(_MOST, max(_LEAST, longest + 2), max(_LEAST, width // 2))
        for row, (name, value) in enumerate(self._lines[:height]):
            cells.write(row, 0, shorten(name, wide - 1), MUTED)
            cells.write(row, wide, shorten(value, max(0, width - wide)), TEXT)
        return cells
