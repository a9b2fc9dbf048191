"""How the dashboard looks and which keys it takes; changes of settings act at once and are written down."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.filter import LineFilter
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from lamo_core.errors import LamoError
from lamo_core.files import write_bytes
from lamo_core.untrusted.plain_text import plain_text
from lamo_tui import themes
from lamo_tui.harmless import Harmless
from lamo_tui.keys.keymap import differences
from lamo_tui.resilience import Resilient
from lamo_tui.screens.base import LamoScreen
from lamo_tui.state.settings import Settings, settings_path
from lamo_tui.state.view_state import View
from lamo_tui.terminal.ascii_fallback import can_draw
from lamo_tui.terminal.ascii_filter import AsciiOnly, PlainScrollBar
from lamo_tui.terminal.color256 import Nearest256

if TYPE_CHECKING:
    from lamo_tui.state.settings_file import Place, Value
    from lamo_tui.terminal.graphics import Graphics


def last_filters(only_ascii: bool, colours: str | None) -> list[LineFilter]:
    """Return what lines go through for the sake of the terminal; `colours` is what Rich calls its colour system."""
    return [Harmless(), *([AsciiOnly()] if only_ascii else []), *([Nearest256()] if colours == "256" else [])]


class Looks(Resilient, App[None]):
    """An application with the user's settings; `keep` remembers how its folder is looked at."""

    def __init__(
        self,
        root: Path,
        settings: Settings | None,
        view: View | None,
        keep: Callable[[View, Path], None] | None,
        pixels: Graphics | None,
    ) -> None:
        super().__init__()
        self.root = root
        self.settings = settings or Settings()
        self.view = self._kept = view or View()
        self._keep = keep
        self._terminal_pixels = pixels
        self._take_letters()
        for theme in themes.THEMES:
            self.register_theme(theme)
        wanted = (self.settings.theme, self.view.theme, themes.DARK.name)
        self.theme = next(name for name in wanted if name in self.available_themes)
        self.colours = themes.palette(self.current_theme, self.get_css_variables())

    def on_mount(self) -> None:
        """Take the keys, and follow the theme."""
        self.set_keymap(dict(self.settings.keymap))
        self.theme_changed_signal.subscribe(self, lambda _: self._recolour())

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line goes through before it is sent."""
        return [*super().get_line_filters(), *self._last_filters]

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text; what a terminal would interpret when it is pasted is written out."""
        super().copy_to_clipboard(plain_text(text))

    # what is remembered of a folder

    def keep_view(self) -> None:
        """Write down how the folder is looked at, if that is news."""
        if self._keep is not None and self.view != self._kept:
            self._kept = self.view
            self._keep(self.view, self.root)

    def remember(self, **changes: Any) -> None:
        """Take over changes of how the folder is looked at: fields of `View`."""
        self.view = replace(self.view, **changes)

    # settings

    def set_theme(self, name: str) -> None:
        """Take a theme from now on; "" leaves it to what was chosen last."""
        self.settings = replace(self.settings, theme=name)
        if name:
            self.theme = name
        self._write({("theme",): name or None})

    def set_ascii(self, only_ascii: bool | None) -> None:
        """Draw with ASCII alone or with all characters from now on; None leaves it to the terminal."""
        drawn = not can_draw(sys.__stderr__ or sys.stderr) if only_ascii is None else only_ascii
        self.settings = replace(self.settings, ascii=drawn)
        self._take_letters()
        self._dress_screens()
        self._write({("ascii",): only_ascii})

    def set_keys(self, keymap: Mapping[str, str]) -> None:
        """Take other keys from now on: ids to keys, for what differs from the table."""
        moved = differences(self.settings.keymap, keymap)
        self.settings = replace(self.settings, keymap=dict(keymap))
        self.set_keymap(dict(keymap))
        self._dress_screens()
        self._write({("keymap", name): keys for name, keys in moved.items()})

    def _write(self, changes: Mapping[Place, Value]) -> None:
        from lamo_tui.state.settings_file import write_settings

        try:
            write_settings(changes, settings_path())
        except LamoError as error:
            self.notify(f"{error}; until you leave, the change holds", severity="warning", timeout=8)

    def _take_letters(self) -> None:
        self.ascii = self.settings.ascii
        """Whether nothing but ASCII is drawn."""
        self._last_filters = last_filters(self.ascii, self.console.color_system)
        ScrollBar.renderer = PlainScrollBar if self.ascii else ScrollBarRender
        self.pixels = self.graphics = None if self.ascii else self._terminal_pixels
        """How the terminal draws pixels, and whether that is used."""

    # themes

    def action_next_theme(self) -> None:
        """Take the next theme of the short list."""
        names = [name for name in themes.CYCLE if name in self.available_themes]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]
        self.notify(f"theme {self.theme}", timeout=2)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer the themes; every other action comes from the table of keys."""
        for name in sorted(self.available_themes):
            yield SystemCommand(f"theme: {name}", "Take this colour theme", lambda name=name: self._take_theme(name))

    def _take_theme(self, name: str) -> None:
        self.theme = name

    def _recolour(self) -> None:
        self.colours = themes.palette(self.current_theme, self.get_css_variables())
        self.remember(theme=self.theme)
        self._dress_screens()

    def _dress_screens(self) -> None:
        """Draw what is in view as colours, characters and keys are now; other screens do so when they are shown."""
        for screen in self.screen_stack:
            if isinstance(screen, LamoScreen) and screen.is_mounted:
                screen.dress()

    def action_save_picture(self) -> None:
        """Write the screen as SVG into the working folder."""
        path = Path(f"lamo-{self.current_mode}-{time.strftime('%H%M%S')}.svg").absolute()
        try:
            write_bytes(path, self.export_screenshot().encode(), "cd FOLDER before lamo tui")
        except LamoError as error:
            self.notify(str(error), severity="error")
            return
        self.notify(f"wrote {path}")
