"""What the policy is about to do: probabilities of named actions, or values of continuous ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.cells import ACCENT, FAINT, MUTED, TEXT, Cells, Paint, shorten
from lamo_tui.widgets.gauge import bar_text


class ActionBars(Drawn):
    """One line per action: its name, a bar, a number. The action that was taken is marked `▸`.

    With less room than actions the least likely are left out, and the last line says how many.
    """

    DEFAULT_CSS = "ActionBars { height: auto; width: 1fr; }"

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._names: tuple[str, ...] = ()
        self._values: tuple[float, ...] = ()
        self._taken: int | None = None
        self._signed = False

    def show_probabilities(self, names: Sequence[str], values: Sequence[float], taken: int | None = None) -> None:
        """Show the probability of each action, and which one was taken."""
        self._change(names, values, taken, signed=False)

    def show_actions(self, names: Sequence[str], values: Sequence[float]) -> None:
        """Show the value of each action dimension, from -1 to 1, as a bar from the middle."""
        self._change(names, values, None, signed=True)

    def _change(self, names: Sequence[str], values: Sequence[float], taken: int | None, signed: bool) -> None:
        state = tuple(names), tuple(float(value) for value in values), taken, signed
        if state != (self._names, self._values, self._taken, self._signed):
            resized = len(state[1]) != len(self._values)
            self._names, self._values, self._taken, self._signed = state
            self.redraw_changes()
            if resized:
                self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return one line for each action."""
        return max(1, len(self._values))

    def picture(self, width: int, height: int) -> Cells:
        """Return the bars at a size."""
        cells = Cells(width, height)
        if not self._values:
            cells.write(height // 2, 0, "no action yet", FAINT)
            return cells
        label = min(max(len(name) for name in self._names), max(3, width // 3))
        for row, index in enumerate(self._shown(height)):
            if index < 0:
                cells.write(row, 2, f"{len(self._values) - row} more", FAINT)
            else:
                self._draw_row(cells, row, index, label)
        return cells

    def _shown(self, height: int) -> list[int]:
        count = len(self._values)
        if count <= height:
            return list(range(count))
        if height == 1:
            return [max(range(count), key=lambda index: abs(self._values[index]))]
        if self._signed:
            return [*range(height - 1), -1]
        likely = sorted(range(count), key=lambda index: (index != self._taken, -self._values[index]))
        return [*sorted(likely[: height - 1]), -1]

    def _draw_row(self, cells: Cells, row: int, index: int, label: int) -> None:
        value, taken = self._values[index], index == self._taken
        cells.write(row, 0, "▸" if taken else " ", ACCENT)
        cells.write(row, 2, shorten(self._names[index], label), TEXT if taken else MUTED)
        if not math.isfinite(value):
            number = "–"
        elif self._signed:
            number = f"{value:+.2f}"
        else:
            number = f"{100 * value:.0f}%" if value >= 0.095 or value == 0 else f"{100 * value:.1f}%"
        start, room = 3 + label, cells.width - label - 10
        cells.write(row, cells.width - len(number), number, TEXT if taken else MUTED)
        if room < 4:
            return
        if self._signed:
            _draw_signed(cells, row, start, room, value)
        else:
            ink = Paint("accent") if taken else Paint("accent", 0.55)
            cells.write(row, start, bar_text(value, room), ink, Paint("text", 0.06))


def _draw_signed(cells: Cells, row: int, start: int, room: int, value: float) -> None:
    half = (room - 1) // 2
    cells.write(row, start, " " * (2 * half + 1), TEXT, Paint("text", 0.06))
    cells.write(row, start + half, "│", FAINT)
    if not math.isfinite(value):
        return
    length = round(min(1.0, abs(value)) * half)
    left = start + half + 1 if value > 0 else start + half - length
    cells.write(row, left, "█" * length, Paint("accent") if abs(value) <= 1 else Paint("warning"))
