"""A window with every setting and its value, to choose one by typing a part of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.widgets.words import Static


class SettingsList(ResilientWidget, ModalScreen[str | None]):
    """Ends with the name of a setting, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("down", "step(1)", "down", priority=True),
        Binding("up", "step(-1)", "up", priority=True),
    ]

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self._values = values

    def compose(self) -> ComposeResult:
        """Show the search and the list."""
        with Vertical(classes="dialog tall"):
            yield Static("Change a setting", classes="title")
            yield Input(placeholder="part of a name, such as batch", compact=True)
            yield Rows(empty="no setting is called so")
            yield Static(Text.assemble(("enter", "bold"), " change   ", ("esc", "bold"), " go back"), classes="keys")

    def on_mount(self) -> None:
        """Show all settings."""
        self._fill("")
        self.query_one(Input).focus()

    def _fill(self, words: str) -> None:
        wanted = words.lower().split()
        names = [name for name in self._values if all(word in name for word in wanted)]
        rows = self.query_one(Rows)
        app = self.app
        from rich.style import Style

        rows.cursor_style = Style(bgcolor=app.colours.cursor)  # type: ignore[attr-defined]
        rows.set_rows([Row(name, _drawn(name, self._values[name])) for name in names])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits."""
        self._fill(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the setting under the cursor."""
        key = self.query_one(Rows).key
        if key is not None:
            self.dismiss(key)

    def action_step(self, by: int) -> None:
        """Move in the list while the search has the keys."""
        self.query_one(Rows).action_step(by)

    def action_close(self) -> None:
        """Close without a choice."""
        self.dismiss(None)


def _drawn(name: str, value: Any) -> Callable[[int], Text]:
    return lambda width: Text(f"{name:<38}").append(str(value), "bold")
