"""A list that draws only the lines in view: of runs, settings, presets, log lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lamo_tui.keys.bindings import bindings_of
from lamo_tui.resilience import ResilientWidget

_KEPT = 500
"""Lines that are not drawn again."""


@dataclass(frozen=True)
class Row:
    """One line: `draw` gets the columns that there are."""

    key: str
    draw: Callable[[int], Text]
    mark: object = None
    """Lines of one key and equal marks look alike; None looks like no other."""

    def looks_like(self, other: Row) -> bool:
        """Return whether both are drawn alike."""
        return self.key == other.key and self.mark is not None and self.mark == other.mark


class Rows(ResilientWidget, ScrollView, can_focus=True):
    """Lines with a cursor; the cursor stays on its row when others come and go."""

    BINDINGS = bindings_of("list")
    DEFAULT_CSS = """
    Rows { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden; }
    """

    class Moved(Message):
        """The cursor went to another row."""

        def __init__(self, rows: Rows, key: str) -> None:
            self.rows, self.key = rows, key
            super().__init__()

        @property
        def control(self) -> Rows:
            """The list that it happened in."""
            return self.rows

    class Widened(Message):
        """There is another number of columns now."""

        def __init__(self, rows: Rows) -> None:
            self.rows = rows
            super().__init__()

    class Clicked(Message):
        """A row was clicked twice."""

        def __init__(self, rows: Rows, key: str) -> None:
            self.rows, self.key = rows, key
            super().__init__()

    def __init__(self, *, id: str | None = None, empty: str = "", cursor: bool = True, follow: bool = False) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self.at = 0
        self.empty = empty
        self.cursor_style: Style = Style()
        self._lines: dict[str, tuple[object, Strip]] = {}
        self._columns = 0
        self._shows_cursor = cursor
        self._follow = follow

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        return self.rows[self.at].key if 0 <= self.at < len(self.rows) else None

    @property
    def follows(self) -> bool:
        """Whether the cursor is on the last row and goes on to those that come."""
        return self._follow and self.at >= len(self.rows) - 1

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Replace all rows; the cursor stays on the same key, or near where it was."""
        old, at_end = self.key, self.follows
        before, place = self.rows, (self.at, self.scroll_offset.y)
        self.rows = rows
        if at_end:
            self.at = max(0, len(rows) - 1)
        elif self.key != old:
            found = next((index for index, row in enumerate(rows) if row.key == old), None)
            self.at = min(self.at, max(0, len(rows) - 1)) if found is None else found
        self.virtual_size = Size(self.size.width, len(rows))
        if at_end:
            self.scroll_to(y=max(0, len(rows) - self.size.height), animate=False)
        if place != (self.at, self.scroll_offset.y):
            self.refresh()
        else:
            self._refresh_changed(before)
        if self.key is not None and self.key != old:
            self.post_message(self.Moved(self, self.key))

    def _refresh_changed(self, before: Sequence[Row]) -> None:
        """Draw only those lines in view anew that look different now."""
        if not self.rows or not before:
            self.refresh()
            return
        top = self.scroll_offset.y
        for index in range(top, min(max(len(self.rows), len(before)), top + self.size.height)):
            both = index < min(len(self.rows), len(before))
            if not both or not self.rows[index].looks_like(before[index]):
                self.refresh_line(index)

    def go(self, at: int) -> None:
        """Put the cursor on a row and bring it into view."""
        old, self.at = self.at, max(0, min(at, len(self.rows) - 1))
        self.scroll_to_region(Region(0, self.at, 1, 1), animate=False)
        self.refresh()
        if self.at != old and self.key is not None:
            self.post_message(self.Moved(self, self.key))

    def go_to(self, key: str) -> None:
        """Put the cursor on the row with a key, if it is there."""
        found = next((index for index, row in enumerate(self.rows) if row.key == key), None)
        if found is not None:
            self.go(found)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the view."""
        width, index = self.scrollable_content_region.width, y + self.scroll_offset.y
        ground = self.rich_style
        if not self.rows and y == 0 and self.empty:
            return _strip(Text(self.empty, "dim"), width, ground)
        if index >= len(self.rows):
            return Strip.blank(width, ground)
        if self._shows_cursor and index == self.at:
            ground += self.cursor_style if self.has_focus else Style(underline=False)
        return self._line(self.rows[index], width, ground)

    def _line(self, row: Row, width: int, ground: Style) -> Strip:
        """Draw a row, unless it was drawn just so before: whatever moves, all lines in view are asked for anew."""
        looks = (row.mark, width, ground)
        known = self._lines.get(row.key)
        if row.mark is None or known is None or known[0] != looks:
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            known = self._lines[row.key] = (looks, _strip(row.draw(width), width, ground))
        return known[1]

    def action_step(self, by: int) -> None:
        """Move the cursor by lines; a text without one scrolls at once."""
        self.go(self._edge_of_view(by) + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.go(self._edge_of_view(by) + by * max(1, self.size.height - 1))

    def _edge_of_view(self, by: int) -> int:
        """Return where moving starts from: the cursor, or the edge of the view where none is shown."""
        if self._shows_cursor:
            return self.at
        top = self.scroll_offset.y
        return top + self.size.height - 1 if by > 0 else top

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first or the last row."""
        self.go(len(self.rows) - 1 if end else 0)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse clicked; a double click on a row chooses it."""
        index = event.y + self.scroll_offset.y
        if index == self.at and self.key is not None and event.chain > 1:
            self.post_message(self.Clicked(self, self.key))
        elif index < len(self.rows):
            self.go(index)

    def on_resize(self) -> None:
        """Keep the end in view when following, the cursor otherwise."""
        self.virtual_size = Size(self.size.width, len(self.rows))
        if self.rows:
            self.scroll_to_region(Region(0, self.at, 1, 1), animate=False)
        if self.scrollable_content_region.width != self._columns:
            self._columns = self.scrollable_content_region.width
            self.post_message(self.Widened(self))

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor no more."""
        self.refresh()


_CONSOLE = Console(color_system="truecolor", legacy_windows=False, force_terminal=True, width=500)
"""Only turns texts into segments; what is shown goes through Textual."""


def _strip(line: Text, width: int, ground: Style) -> Strip:
    line = Text().append_text(line)  # a style of the whole becomes one of its part, which rendering keeps
    line.truncate(width, overflow="ellipsis", pad=False)
    segments = [Segment(part.text, ground + part.style if part.style else ground) for part in _segments(line)]
    return Strip(segments).adjust_cell_length(width, ground)


def _segments(line: Text) -> list[Segment]:
    line.end = ""
    return [part for part in line.render(_CONSOLE) if part.text]
