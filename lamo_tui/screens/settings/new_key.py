"""The window that waits for a key to give to an action."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from lamo_core.errors import UsageError
from lamo_tui.keys import keymap as moving
from lamo_tui.keys.bindings import keys_of
from lamo_tui.keys.names import names_in, shown_key
from lamo_tui.keys.table import PLACES, Key
from lamo_tui.resilience import ResilientWidget
from lamo_tui.widgets.words import Static

_DEFAULT = ("backspace", "delete")


class NewKey(ResilientWidget, ModalScreen[dict[str, str] | None]):
    """Ends with the keymap in which an entry has the key that was pressed, or None.

    `more` keeps the keys that it has; `first` is a key to begin with, as if it was pressed.
    """

    def __init__(self, key: Key, keymap: Mapping[str, str], *, more: bool = False, first: str | None = None) -> None:
        super().__init__()
        self._key, self._keymap, self._more, self._first = key, keymap, more, first
        self._offered: str | None = None
        """The key that, pressed once more, swaps."""

    def compose(self) -> ComposeResult:
        """Say what is asked for, and what there is now."""
        key = self._key
        title = PLACES[moving.place_of(key)][0]
        now, default = " ".join(keys_of(key, self._keymap)), " ".join(map(shown_key, names_in(key.keys)))
        with Vertical(classes="dialog"):
            yield Static(f"{'One more' if self._more else 'New'} key for: {key.label}", classes="title")
            yield Static(f"{title}: {key.text}")
            yield Static(f"now  {now}     default  {default}")
            yield Static("press the key", classes="problem")
            keys = (("bksp", "bold"), " give the default back   ", ("esc", "bold"), " go back")
            yield Static(Text.assemble(*keys), classes="keys")

    def on_mount(self) -> None:
        """Try the key to begin with."""
        if self._first is not None:
            self._take(self._first)

    def on_key(self, event: events.Key) -> None:
        """Take every key, whatever it means elsewhere."""
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss(None)
        else:
            self._take(event.key)

    def _take(self, name: str) -> None:
        swap = name == self._offered
        try:
            if name in _DEFAULT:
                found = moving.move(self._key, names_in(self._key.keys), self._keymap, swap=swap)
            elif self._more:
                found = moving.add(self._key, name, self._keymap, swap=swap)
            else:
                found = moving.move(self._key, [name], self._keymap, swap=swap)
        except moving.Taken as error:
            self._offered = name if error.swaps else None
            again = "again" if name in _DEFAULT else f"{shown_key(name)} again"
            self._say(f"{error}: press {again} to swap the two, or another key" if error.swaps else f"{error}")
        except UsageError as error:
            self._offered = None
            self._say(str(error))
        else:
            self.dismiss(found)

    def _say(self, text: str) -> None:
        problem = self.query_one(".problem", Static)
        problem.update(Text(text))
        problem.add_class("bad")
