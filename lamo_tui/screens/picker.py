"""A list to pick from, with live search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.themes import Palette
from lamo_tui.widgets.cells import shorten
from lamo_tui.widgets.words import entitle, subtitle

_ROOMY = 24
"""Columns from which on a mark may take four of them."""


@dataclass(frozen=True)
class Option:
    """Something to pick."""

    key: str
    title: str


class Picker(ResilientWidget, Vertical):
    """One list: in a single one the cursor is the choice, in a multiple one `toggle` marks any number."""

    class Picked(Message):
        """Another choice was made."""

        def __init__(self, picker: Picker) -> None:
            self.picker = picker
            super().__init__()

    def __init__(self, title: str, options: Sequence[Option], *, multiple: bool = False, id: str) -> None:
        super().__init__(id=id, classes="panel picker")
        entitle(self, title)
        self.options = tuple(options)
        self.multiple = multiple
        self.marked: list[str] = []
        self.chosen = options[0].key if options else ""
        self.search: str | None = None
        self.lacking: Mapping[str, str] = {}
        """Options that cannot be taken on this machine, and why; they are shown dim, with a dash."""
        self._colours: Palette | None = None

    def compose(self) -> ComposeResult:
        """Show the list."""
        yield PickerRows(empty="no match")

    @property
    def rows(self) -> Rows:
        """The list itself."""
        return self.query_one(Rows)

    def draw(self, colours: Palette) -> None:
        """Draw the options that fit the search."""
        self._colours = colours
        words = (self.search or "").lower().split()
        fitting = [option for option in self.options if all(word in option.title.lower() for word in words)]
        self.rows.cursor_style = Style(bgcolor=colours.cursor)
        self.rows.set_rows([Row(option.key, self._drawn(option, colours)) for option in fitting])
        subtitle(self, "" if self.search is None else f"/{self.search}▏")

    def _drawn(self, option: Option, colours: Palette) -> Callable[[int], Text]:
        picked = option.key in self.marked if self.multiple else option.key == self.chosen
        lacking = option.key in self.lacking
        ink = colours.warn if picked and lacking else colours.primary if picked else colours.text
        style = Style(bold=picked, color=colours.dim if lacking and not picked else ink)

        def draw(width: int) -> Text:
            boxes = ("[x] ", "[ ] ", " –  ") if width >= _ROOMY else ("x ", "· ", "– ")
            mark = (boxes if self.multiple else ("● ", "  ", "– "))[0 if picked else 2 if lacking else 1]
            return Text(mark + self._shortened(option.title, width - len(mark)), style)

        return draw

    def _shortened(self, title: str, width: int) -> str:
        """Return a title in `width` columns; where others begin alike, its end tells it from them."""
        beginning = title[: width - 1]
        if len(title) <= width or sum(option.title.startswith(beginning) for option in self.options) == 1:
            return shorten(title, width)
        return title[: width // 3] + "…" + title[width // 3 + 1 - width :]

    def choose(self, key: str) -> None:
        """Take an option of a single list."""
        self.chosen = key
        if self._colours is not None:
            self.draw(self._colours)
            self.rows.go_to(key)

    def toggle(self) -> None:
        """Mark the option under the cursor, or take the mark away."""
        key = self.rows.key
        if not self.multiple or key is None:
            return
        self.marked = [mark for mark in self.marked if mark != key] if key in self.marked else [*self.marked, key]
        self._changed()

    def begin_search(self) -> None:
        """Let typed letters narrow the list."""
        self.search = ""
        if self._colours is not None:
            self.draw(self._colours)

    def end_search(self) -> None:
        """Show all options again; the cursor stays."""
        self.search = None
        if self._colours is not None:
            self.draw(self._colours)

    def type(self, event: events.Key) -> bool:
        """Take a key of the search; returns whether it was one."""
        if self.search is None or self._colours is None:
            return False
        if event.key in ("enter", "escape", "tab"):
            self.end_search()
        elif event.key == "backspace":
            self.search = self.search[:-1]
            self.draw(self._colours)
        elif event.is_printable and event.character:
            self.search += event.character
            self.draw(self._colours)
        else:
            return False
        return True

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """The cursor is the choice of a single list."""
        if not self.multiple and message.key != self.chosen:
            self.chosen = message.key
            self._changed()

    def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """A second click marks."""
        self.toggle()

    def _changed(self) -> None:
        if self._colours is not None:
            self.draw(self._colours)
        self.post_message(self.Picked(self))


class PickerRows(Rows):
    """The picker's list, which gives keys to the search first."""

    async def _on_key(self, event: events.Key) -> None:
        picker = self.parent
        if isinstance(picker, Picker) and picker.type(event):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Say that typed letters belong to the search while there is one."""
        picker = self.parent
        return isinstance(picker, Picker) and picker.search is not None
