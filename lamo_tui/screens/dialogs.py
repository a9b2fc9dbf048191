"""Small windows over a screen: a question, a text to enter, a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input

from lamo_core.errors import LamoError
from lamo_core.runs.compare import config_difference
from lamo_core.runs.index import RunSummary
from lamo_core.wording import counted
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.text import fit, short_id
from lamo_tui.widgets.words import Static

_NAME, _LEAST, _MOST = 32, 8, 32
"""Columns for the name of a setting, and for the values of a run."""


class Question(ResilientWidget, ModalScreen[bool]):
    """Asks before something is done that cannot be undone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, title: str, lines: Sequence[str], yes: str) -> None:
        super().__init__()
        self._title, self._lines, self._yes = title, lines, yes

    def compose(self) -> ComposeResult:
        """Show the question and the two keys."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title")
            yield Static("\n".join(self._lines))
            yield Static(
                Text.assemble(("y", "bold"), f" {self._yes}   ", ("n", "bold"), " no, go back"), classes="keys"
            )

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)


class Reading(ResilientWidget, ModalScreen[None]):
    """Shows lines to read, with scrolling."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "close", "close")]

    def __init__(self, title: str, lines: Sequence[Text]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        """Show title and lines."""
        with Vertical(classes="dialog tall"):
            yield Static(self._title, classes="title")
            yield Rows(cursor=False, empty="nothing")
            yield Static(Text.assemble(("esc", "bold"), " close   ", ("↑↓", "bold"), " scroll"), classes="keys")

    def on_mount(self) -> None:
        """Fill the list."""

        def row(line: Text) -> Callable[[int], Text]:
            return lambda width: line

        rows = self.query_one(Rows)
        rows.set_rows([Row(str(index), row(line)) for index, line in enumerate(self._lines)])
        rows.focus()

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)


class Passage(ResilientWidget, ModalScreen[None]):
    """Shows a text that is longer than a line of the screen, wrapped."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "close", "close")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Show title and text."""
        with Vertical(classes="dialog passage"):
            yield Static(self._title, classes="title")
            with VerticalScroll():
                yield Static(self._text)
            yield Static(Text.assemble(("esc", "bold"), " close   ", ("↑↓", "bold"), " scroll"), classes="keys")

    def on_mount(self) -> None:
        """Give the keys to the text."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)


class Entry(ResilientWidget, ModalScreen[str | None]):
    """Asks for a line of text; `check` refuses with a `LamoError`, whose sentence is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close")]

    def __init__(self, title: str, value: str, check: Callable[[str], object], hint: str = "") -> None:
        super().__init__()
        self._title, self._value, self._check, self._hint = title, value, check, hint

    def compose(self) -> ComposeResult:
        """Show the input line."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title")
            yield Input(self._value, compact=True)
            yield Static(self._hint, classes="problem")
            yield Static(Text.assemble(("enter", "bold"), " take it   ", ("esc", "bold"), " go back"), classes="keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the text if it is good."""
        try:
            self._check(event.value)
        except LamoError as error:
            problem = self.query_one(".problem", Static)
            problem.update(Text(str(error)))
            problem.add_class("bad")
            return
        self.dismiss(event.value)

    def action_close(self) -> None:
        """Close without a text."""
        self.dismiss(None)


def differences(runs: Sequence[RunSummary]) -> Reading:
    """Return a window with the settings in which runs differ, one column per run."""
    rows = config_difference([run.settings for run in runs])
    columns = list(zip(*rows.values(), strict=True)) or [() for _ in runs]
    widths = [min(_MOST, max(len(str(value)) for value in (*column, _LEAST * " "))) for column in columns]
    heads = zip((short_id(run.id) for run in runs), widths, strict=True)
    names = Text(" " * _NAME + "  ".join(f"{head:>{width}}" for head, width in heads), "bold")
    lines = []
    for name, row in rows.items():
        cells = (f"{fit(str(value), width):>{width}}" for value, width in zip(row, widths, strict=True))
        lines.append(Text(f"{name:<{_NAME}}" + "  ".join(cells)))
    return Reading(f"Settings in which {counted(len(runs), 'run')} differ", [names, *lines])
