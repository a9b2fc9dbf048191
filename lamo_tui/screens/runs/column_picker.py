"""A small window in which the columns of the list of runs are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from lamo_tui.dashboard.api import dashboard
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.picker import Option, Picker
from lamo_tui.screens.runs.run_columns import CHOOSABLE
from lamo_tui.widgets.words import Static


class ColumnPicker(ResilientWidget, ModalScreen[tuple[str, ...] | None]):
    """Any number of columns; none leaves the choice to the room that there is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "choose"),
        Binding("enter", "take", "take"),
        Binding("backspace,delete", "default", "default"),
        Binding("escape,q", "close", "close"),
    ]

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self._chosen = list(chosen)

    def compose(self) -> ComposeResult:
        """Show the list and its keys."""
        wide = max(len(column.name) for column in CHOOSABLE)
        options = [Option(column.name, f"{column.name:<{wide}}  {column.text}") for column in CHOOSABLE]
        with Vertical(classes="dialog"):
            yield Static("Columns of the list", classes="title")
            yield Picker("none: as many as fit", options, multiple=True, id="columns")
            keys = (("space", "choose"), ("enter", "take them"), ("backspace", "as many as fit"), ("esc", "go back"))
            yield Static(Text.assemble(*(part for key, word in keys for part in ((key, "bold"), f" {word}   "))))

    def on_mount(self) -> None:
        """Mark what is chosen so far."""
        picker = self.query_one(Picker)
        picker.marked = self._chosen
        picker.draw(dashboard(self.app).colours)
        picker.rows.focus()

    def action_choose(self) -> None:
        """Choose the column under the cursor, or leave it out."""
        self.query_one(Picker).toggle()

    def action_take(self) -> None:
        """Close with the columns that are chosen."""
        self.dismiss(tuple(self.query_one(Picker).marked))

    def action_default(self) -> None:
        """Close and leave the choice to the room that there is."""
        self.dismiss(())

    def action_close(self) -> None:
        """Close and change nothing."""
        self.dismiss(None)
