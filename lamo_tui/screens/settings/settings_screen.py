"""The settings: theme, letters, and one line for each key; what is chosen acts at once and is written down."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from lamo_tui.keys.bindings import KEYS, bindings_of, keys_of
from lamo_tui.keys.keymap import Taken, changed, move
from lamo_tui.keys.names import names_in
from lamo_tui.keys.table import Key
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.screens.settings.new_key import NewKey
from lamo_tui.screens.settings.settings_rows import KeyRows, head_text, key_rows, note_lines, option, theme_rows
from lamo_tui.state.settings import settings_path

_LISTS = ("#themes", "#letters", "#keys")
_LETTERS = {"all": "all letters", "ascii": "ASCII alone"}
_LETTERS_SAID = {
    "all": "Draw curves with braille, bars with blocks, frames with lines.",
    "ascii": "Draw nothing but ASCII, for fonts and terminals that have no more.",
}


class SettingsScreen(LamoScreen):
    """Themes and letters on the left, all keys on the right."""

    PLACE = "settings"
    BINDINGS = bindings_of("settings")
    AUTO_FOCUS = "#themes"
    TITLES: ClassVar = {"#themes": "theme", "#letters": "letters", "#settings-keys": "keys"}

    def __init__(self) -> None:
        super().__init__()
        self._tried: str | None = None
        """The theme under the cursor while it is only looked at."""
        self._before = ""
        """The theme to go back to."""

    def compose_body(self) -> ComposeResult:
        """Three lists, and what is under the cursor in words."""
        with Horizontal(id="settings"):
            with Vertical(id="settings-looks"):
                yield Rows(id="themes")
                yield Rows(id="letters")
            with Vertical(id="settings-keys"):
                with Horizontal(id="key-filter"):
                    yield Static(Text(" filter "))
                    yield Input(placeholder="stop · replay · ctrl · * for those that were moved", compact=True)
                yield Static(id="keys-head")
                yield KeyRows(id="keys", empty="  no action fits: esc clears the filter")
        yield Static(id="settings-note")

    def on_mount(self) -> None:
        """Fill the lists."""
        for place, title in self.TITLES.items():
            self.query_one(place).add_class("panel")
            self.query_one(place).border_title = title
        self.recolour()
        self.query_one("#themes", Rows).go_to(self.lamo.settings.theme or self.app.theme)
        self.query_one("#letters", Rows).go_to("ascii" if self.lamo.ascii else "all")
        self.query_one("#keys", Rows).go(0)

    # drawing

    def recolour(self) -> None:
        """Draw all lists; a theme that came from elsewhere is no longer one that is only looked at."""
        lamo, app, colours = self.lamo, self.app, self.colours
        if self._tried != app.theme:
            self._tried = None
        for place in _LISTS:
            self.query_one(place, Rows).cursor_style = Style(bgcolor=colours.cursor)
        self.query_one("#themes", Rows).set_rows(theme_rows(app.available_themes, lamo.settings.theme, colours))
        drawn = "ascii" if lamo.ascii else "all"
        letters = [Row(name, option(title, name == drawn, colours)) for name, title in _LETTERS.items()]
        self.query_one("#letters", Rows).set_rows(letters)
        self._fill_keys()
        self._note()

    def _fill_keys(self) -> None:
        rows = self.query_one("#keys", KeyRows)
        rows.set_rows(key_rows(self.query_one(Input).value, self.keymap, self.colours))
        rows.go(rows.at)
        self.say("#keys-head", head_text(rows.scrollable_content_region.width, self.colours))
        count = sum(changed(key, self.keymap) for key in KEYS.values())
        self.query_one("#settings-keys").border_subtitle = f"* {count} moved" if count else ""

    def _note(self) -> None:
        first, second = self._words()
        same = f"the same without the dashboard: {second}" if second else ""
        self.say("#settings-note", note_lines(first, same, f"kept in {settings_path()}", self.colours))

    def _words(self) -> tuple[str, str]:
        """Return what is under the cursor, and the command that does the same."""
        here, under = self._here(), self._here().key or ""
        if here.id == "themes":
            said = "Leave it to the theme key, which is remembered." if not under else f"The theme {under}."
            if self._tried is not None:
                take, back = self._shown("settings.take"), self._shown("settings.back")
                said += f" {take} takes it, {back} gives the old one back."
            return said, f"lamo settings set theme {under}" if under else "lamo settings unset theme"
        if here.id == "letters":
            return _LETTERS_SAID[under or "all"], f"lamo settings set ascii {str(under == 'ascii').lower()}"
        key = KEYS.get(under)
        return (key.text, f"lamo settings set {key.id} KEY") if key else ("", "")

    def _shown(self, entry: str) -> str:
        return keys_of(KEYS[entry], self.keymap)[0]

    def _here(self) -> Rows:
        """Return the list that has the keys."""
        lists = [self.query_one(place, Rows) for place in _LISTS]
        return next((rows for rows in lists if rows.has_focus), lists[2])

    def _entry(self) -> Key | None:
        here = self._here()
        return KEYS.get(here.key or "") if here.id == "keys" else None

    # looking at themes

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Show a theme while the cursor is on it."""
        app = self.app
        if message.rows.id == "themes" and message.rows.has_focus:
            name = message.key or (self._before if self._tried is not None else app.theme)
            if name != app.theme:
                if self._tried is None:
                    self._before = app.theme
                self._tried = name if name != self._before else None
                app.theme = name
        self._note()

    def _give_back(self) -> bool:
        """Go back from a theme that was only looked at; returns whether there was one."""
        if self._tried is None:
            return False
        self._tried, self.app.theme = None, self._before
        self.query_one("#themes", Rows).go_to(self._before)
        return True

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Who leaves the themes without a choice has the old one."""
        if event.widget.id == "themes":
            self._give_back()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say what is under the cursor there."""
        if event.widget.id == "themes":
            self.query_one("#themes", Rows).go_to(self.app.theme)
        self._note()

    def on_screen_suspend(self) -> None:
        """Leave nothing that was only looked at."""
        self._give_back()

    def on_rows_widened(self, message: Rows.Widened) -> None:
        """Say what stands in the columns that there are now."""
        if message.rows.id == "keys":
            self._fill_keys()

    # what keys do

    def action_take(self) -> None:
        """Choose what is under the cursor."""
        here, app, key = self._here(), self.lamo, self._entry()
        if here.id == "themes":
            self._tried = None
            app.set_theme(here.key or "")
        elif here.id == "letters":
            app.set_ascii(here.key == "ascii")
        elif key is not None:
            self._ask(key)
        self.recolour()

    def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """Choose what was clicked twice."""
        self.action_take()

    def action_add(self) -> None:
        """Ask for one more key."""
        key = self._entry()
        if key is not None:
            self._ask(key, more=True)

    def action_default(self) -> None:
        """Go back to the default of what is under the cursor."""
        here, app, key = self._here(), self.lamo, self._entry()
        if here.id == "themes":
            self._tried = None
            app.set_theme("")
        elif here.id == "letters":
            app.set_ascii(None)
        elif key is not None:
            try:
                app.set_keys(move(key, names_in(key.keys), self.keymap))
            except Taken:
                self._ask(key, first="backspace")
        self.recolour()

    def _ask(self, key: Key, *, more: bool = False, first: str | None = None) -> None:
        def answered(keymap: dict[str, str] | None) -> None:
            if keymap is not None and keymap != dict(self.keymap):
                self.lamo.set_keys(keymap)

        self.app.push_screen(NewKey(key, self.keymap, more=more, first=first), answered)

    def action_move(self, by: int) -> None:
        """Give the keys to another list."""
        at = _LISTS.index(f"#{self._here().id}")
        self.set_focus(self.query_one(_LISTS[(at + by) % len(_LISTS)]))

    def action_search(self) -> None:
        """Type what the keys that are shown must fit."""
        self.query_one("#key-filter").add_class("shown")
        self.set_focus(self.query_one(Input))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits while it is typed."""
        self._fill_keys()
        self._note()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the list; an empty filter hides its line."""
        if not event.value.strip():
            self.query_one("#key-filter").remove_class("shown")
        self.set_focus(self.query_one("#keys"))

    def action_back(self) -> None:
        """Give the old theme back, or clear the filter, or leave."""
        line = self.query_one("#key-filter")
        if self._give_back():
            return
        if line.has_class("shown"):
            self.query_one(Input).value = ""
            line.remove_class("shown")
            self.set_focus(self.query_one("#keys"))
        else:
            self.lamo.action_mode(self.lamo.came_from)
