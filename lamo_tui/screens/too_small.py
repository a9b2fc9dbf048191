"""What stands in place of a screen in a terminal that has no room for it."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from lamo_tui.dashboard.api import dashboard
from lamo_tui.keys.bindings import with_keys
from lamo_tui.resilience import ResilientWidget

LEAST = (40, 12)
"""Columns and rows below which no screen can be read."""


class TooSmall(ResilientWidget, Widget):
    """Says how large the terminal is and how large it must be; hidden where that is so."""

    DEFAULT_CSS = "TooSmall { display: none; height: 1fr; content-align: center middle; text-align: center; }"

    def render(self) -> Text:
        """Draw the sentence."""
        columns, rows = self.app.size
        app = dashboard(self.app)
        way = with_keys("enlarge the terminal, or <app.quit> leaves", app.settings.keymap)
        needed = f"lamo needs {LEAST[0]} x {LEAST[1]}"
        return Text(f"{columns} x {rows} is too small\n{needed}\n{way}", justify="center")


def fits(columns: int, rows: int) -> bool:
    """Return whether a screen can be read at this size."""
    return columns >= LEAST[0] and rows >= LEAST[1]
