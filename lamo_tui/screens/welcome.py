"""What a newcomer sees when there are no runs yet."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from lamo_core.engine.run_spec import RunSpec
from lamo_core.runs.pack import add_demo
from lamo_tui.dashboard.api import dashboard
from lamo_tui.dashboard.new_run_model import NewRuns
from lamo_tui.resilience import ResilientWidget
from lamo_tui.widgets.words import Static

FIRST_RUN = NewRuns(
    RunSpec(
        "atari-breakout-0.1pct",
        settings=(
            "optim.steps=200",
            "eval.every=100",
            "eval.episodes=3",
            "eval.final_episodes=5",
            "checkpoint.every=100",
        ),
    )
)
"""About a minute on two cores."""
_ROOM = 22
"""Rows from which on there is room for an introduction."""


class WelcomeScreen(ResilientWidget, ModalScreen[None]):
    """The ways to go on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1,enter", "demo", "demo"),
        Binding("2", "train", "train"),
        Binding("3,n", "choose", "choose"),
        Binding("4", "data", "data"),
        Binding("5,question_mark", "help", "help"),
        Binding("escape", "close", "close"),
        Binding("q", "app.leave", "leave"),
    ]

    def compose(self) -> ComposeResult:
        """Show what lamo is, where things lie, and the choices."""
        app = dashboard(self.app)
        key, dim = f"bold {app.colours.secondary}", app.colours.dim
        with Vertical(classes="dialog"):
            yield Static("Welcome to lamo", classes="title")
            if self.app.size.height >= _ROOM:
                yield Static(
                    "Teach a language model to play from a little recorded play, and watch it learn.\n"
                    "Everything below works on this machine as it is: data and a small language model are included."
                )
                yield Static()
            yield Static(
                Text.assemble(
                    ("  1  ", key),
                    "look at a recorded run: curves, and the agent at play\n",
                    ("  2  ", key),
                    "train for a minute: Breakout, 0.1 % of the data\n",
                    ("  3  ", key),
                    "choose task, share of the data and method yourself\n",
                    ("  4  ", key),
                    "see the data that are here, and how to get more\n",
                    ("  5  ", key),
                    "see all keys\n",
                    (" esc ", key),
                    "look at the empty list",
                )
            )
            yield Static()
            yield Static(Text(f"Runs lie in {app.root.absolute()}; this folder is empty so far.", dim))
            yield Static(Text("A run goes on when you leave. `lamo doctor` says what works here.", dim))

    def action_demo(self) -> None:
        """Put the recorded run into the list and open it."""
        app = dashboard(self.app)
        self.dismiss(None)

        def add() -> str:
            added = add_demo(app.root)
            self.app.call_later(app.open_run, added.id)
            ways = "press <run.replay> to see it play; <runs.delete> in the list takes it away"
            return f"a recorded run: nothing is training; {ways}"

        self.app.call_later(app.try_to, add)

    def action_train(self) -> None:
        """Open New run with a small run chosen; nothing starts by itself."""
        self._go(FIRST_RUN)

    def action_choose(self) -> None:
        """Open New run."""
        self._go(None)

    def action_data(self) -> None:
        """Open the data sets."""
        self._open("data")

    def action_help(self) -> None:
        """Open the help."""
        self._open("help")

    def action_close(self) -> None:
        """Show the empty list."""
        self.dismiss(None)

    def _open(self, mode: str) -> None:
        app = dashboard(self.app)
        self.dismiss(None)
        self.app.call_later(app.action_mode, mode)

    def _go(self, runs: NewRuns | None) -> None:
        app = dashboard(self.app)
        self.dismiss(None)
        self.app.call_later(app.new_run, runs)
