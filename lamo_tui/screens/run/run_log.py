"""The log of a run as rows: all of it or its serious lines, with a text that is searched for marked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from rich.style import Style
from rich.text import Text

from lamo_core.runs.log.levels import Level, log_levels
from lamo_core.wording import counted
from lamo_tui.screens.rows import Row
from lamo_tui.state.snapshot import RunData
from lamo_tui.themes import Palette

FILTERS: dict[str, tuple[Level, ...]] = {
    "all lines": ("info", "warning", "error"),
    "warnings and errors": ("warning", "error"),
    "errors": ("error",),
}
"""What may be shown, in the order in which a key goes through it."""
_MARKS = {"info": "  ", "warning": "! ", "error": "X "}


class LogView:
    """Which lines of a log are shown; levels are found once for each version of the log."""

    def __init__(self) -> None:
        self.shown = "all lines"
        self.search = ""
        self._levels: tuple[tuple[str, ...], list[Level]] = ((), [])

    def next_filter(self) -> None:
        """Show more serious lines only, or all again."""
        names = list(FILTERS)
        self.shown = names[(names.index(self.shown) + 1) % len(names)]

    def rows(self, data: RunData, colours: Palette) -> list[Row]:
        """Return the lines that fit both level and search; a row's key is the place of its line in the log."""
        wanted, levels = self.search.lower(), FILTERS[self.shown]
        found = enumerate(zip(data.log, self._levels_of(data.log), strict=True))
        return [
            Row(str(index), _drawn(line, level, self.search, colours))
            for index, (line, level) in found
            if level in levels and wanted in line.lower()
        ]

    def empty(self) -> str:
        """Return what stands in place of no line."""
        text = f" with {self.search!r}" if self.search else ""
        return f"  no {'line' if self.shown == 'all lines' else self.shown}{text} in the log"

    def note(self, shown: int, data: RunData | None, follows: bool) -> str:
        """Return in words what is shown."""
        count = len(data.log) if data is not None else 0
        lines = counted(count, "line") if shown == count else f"{shown:,} of {counted(count, 'line')}"
        search = [f"with {self.search!r}"] if self.search else []
        return " · ".join([f"{self.shown}: L", *search, lines, "follows" if follows else "stays: end follows"])

    def _levels_of(self, log: tuple[str, ...]) -> list[Level]:
        if self._levels[0] is not log:
            self._levels = log, log_levels(log)
        return self._levels[1]


def nearest(rows: Sequence[Row], key: str | None) -> int:
    """Return which row is the line `key` of the log, or the next one after it."""
    keys = [int(row.key) for row in rows]
    return min(bisect_left(keys, int(key or 0)), max(0, len(keys) - 1))


def _drawn(line: str, level: Level, search: str, colours: Palette) -> Callable[[int], Text]:
    def draw(width: int) -> Text:
        ink = {"error": colours.bad, "warning": colours.warn}.get(level, colours.text)
        text = Text(_MARKS[level], Style(bold=True, color=ink)) if level != "info" else Text("  ")
        begin = len(text)
        text.append(line, ink)
        if line[:4].isdigit() and line[4:5] == "-":
            text.stylize(Style(color=colours.dim), begin, begin + 19)
        if search:
            text.highlight_words([search], Style(reverse=True, color=colours.secondary), case_sensitive=False)
        return text

    return draw
