"""What a newcomer sees when there are no runs yet: ways to begin, and what works on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from lamo_core.engine.run_spec import RunSpec
from lamo_core.errors import LamoError
from lamo_core.runs.pack import add_demo
from lamo_core.runs.queue.devices import absent_device
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.requirements import require_environment
from lamo_tui.dashboard import run_actions
from lamo_tui.dashboard.api import dashboard
from lamo_tui.replay.request import Request
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.text import fit
from lamo_tui.themes import Palette
from lamo_tui.widgets.words import Static

FIRST_RUN = RunSpec(
    "atari-breakout-1pct",
    settings=(
        "optim.steps=450",
        "optim.warmup_steps=30",
        "eval.every=150",
        "eval.episodes=3",
        "eval.final_episodes=5",
        "checkpoint.every=150",
    ),
)
"""About a minute on two idle cores, after which it plays several times as well as random play."""
_ROOM = 22
"""Rows from which on there is room for an introduction."""
_CHOICES = (
    ("demo", "1", "watch a trained agent, ask it for more, take over yourself"),
    ("train", "2", "train for a minute and watch it learn Breakout; starts at once"),
    ("choose", "3", "choose task, share of the data and method yourself"),
    ("data", "4", "see the data that are here, and how to get more"),
    ("help", "?", "see all keys"),
    ("close", "esc", "look at the empty list"),
)


class WelcomeScreen(ResilientWidget, ModalScreen[None]):
    """The ways to go on, under arrows, letters and the mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take"),
        Binding("1", "demo", "demo"),
        Binding("2", "train", "train"),
        Binding("3,n", "choose", "choose"),
        Binding("4", "data", "data"),
        Binding("5,question_mark", "help", "help"),
        Binding("escape", "close", "close"),
        Binding("q", "app.leave", "leave"),
    ]

    def compose(self) -> ComposeResult:
        """Show what lamo is, the choices, where things lie and what works here."""
        app = dashboard(self.app)
        with Vertical(classes="dialog"):
            yield Static("Welcome to lamo", classes="title")
            if self.app.size.height >= _ROOM:
                yield Static(
                    "Teach a language model to play from a little recorded play, and watch it learn.\n"
                    "Data, a small language model and a trained agent are included."
                )
                yield Static()
            yield Rows(id="ways")
            yield Static()
            yield Static(id="works")
            yield Static(Text(f"Runs lie in {app.root.absolute()}; a run goes on when you leave.", app.colours.dim))

    def on_mount(self) -> None:
        """Fill the list, and find out what works here once it is on the screen."""
        colours, rows = dashboard(self.app).colours, self.query_one("#ways", Rows)
        rows.cursor_style = Style(bgcolor=colours.cursor)
        rows.styles.height = len(_CHOICES)
        rows.set_rows([Row(name, _choice(key, words, colours)) for name, key, words in _CHOICES])
        rows.focus()
        self.call_after_refresh(self._tell_what_works)

    def _tell_what_works(self) -> None:
        self.query_one("#works", Static).update(works_text(what_works(), dashboard(self.app).colours))

    async def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """Take what was clicked twice."""
        await self.action_take()

    async def action_take(self) -> None:
        """Take the way under the cursor."""
        await self.run_action(f"{self.query_one('#ways', Rows).key}()")

    def action_demo(self) -> None:
        """Put the recorded run into the list and watch its policy play; leaving that leads to its curves."""
        app = dashboard(self.app)
        self.dismiss(None)

        def add() -> str:
            added = add_demo(app.root)
            app.opened = added.id
            app.remember(opened=added.id)
            self.app.call_later(app.open_replay, Request(str(added.last_checkpoint), preview=True))
            return (
                "<replay.target> asks for another return · <replay.control> lets you play · <replay.beside> plays an "
                "early checkpoint beside it · <replay.back> shows its curves"
            )

        self.app.call_later(app.try_to, add)

    def action_train(self) -> None:
        """Start a small run and open it."""
        app = dashboard(self.app)
        self.dismiss(None)

        def start() -> str:
            run = run_actions.start(app.root, FIRST_RUN)
            self.app.call_later(app.open_run, run.id)
            return "it learns from 1 % of the data · <run.stop> stops it · <run.replay> shows it play once saved"

        self.app.call_later(app.try_to, start)

    def action_choose(self) -> None:
        """Open New run."""
        app = dashboard(self.app)
        self.dismiss(None)
        self.app.call_later(app.new_run, None)

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


def what_works() -> list[tuple[str, str]]:
    """Return parts of this installation and what each lacks; empty where it works. Loads none of them."""
    found = []
    for title, task in (("Atari", "atari-breakout"), ("MuJoCo", "mujoco-hopper")):
        try:
            require_environment(get_task(task))
            found.append((title, ""))
        except LamoError as error:
            found.append((title, str(error).partition("install it with: ")[2] or str(error)))
    return [*found, ("GPU", absent_device("cuda") and "presets without `paper-` are sized for a CPU")]


def works_text(parts: list[tuple[str, str]], colours: Palette) -> Text:
    """Draw what works here in a line, and what to do about the rest in a line each."""
    text = Text()
    for title, lacks in parts:
        mark, ink = ("–", colours.warn) if lacks else ("✓", colours.good)
        text.append(f"{title} ").append(f"{mark}   ", Style(bold=True, color=ink))
    for title, lacks in parts:
        text.append(f"\n{title}: {lacks}" if lacks else "", colours.dim)
    return text


def _choice(key: str, words: str, colours: Palette) -> Callable[[int], Text]:
    def draw(width: int) -> Text:
        text = Text(f" {key:>3}  ", Style(bold=True, color=colours.secondary))
        return text.append(fit(words, max(1, width - 6)), Style(bold=False, color=colours.text))

    return draw
