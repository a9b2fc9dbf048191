"""The window that asks what to play: checkpoints and recorded episodes of a run, other runs, or a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from lamo_core.errors import LamoError
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.files import numbered_checkpoints
from lamo_core.player.sources import find_source, record_label, replays_of
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunSummary
from lamo_core.wording import counted
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.text import figure, short_id, short_name
from lamo_tui.widgets.words import Static

_RECORDS = 24
_OTHERS = 40


@dataclass(frozen=True)
class Source:
    """Something that can be played."""

    path: str
    text: str


def sources_of(run: RunDirectory | None, others: Sequence[RunSummary], task: str | None) -> list[Source]:
    """Return what can be played: live policies of the run, its records newest first, then other runs of the task."""
    found: list[Source] = []
    if run is not None:
        for name, what in (("last.pt", "newest checkpoint"), ("best.pt", "best checkpoint")):
            path = run.checkpoints / name
            if path.is_file():
                found.append(Source(str(path), f"live    {what} of this run"))
        for path in reversed(numbered_checkpoints(run.checkpoints)):
            if not _is_same(path, run.last_checkpoint):
                found.append(Source(str(path), f"live    checkpoint of step {int(path.stem):,}"))
        found += [Source(str(path), f"record  {describe(path)}") for path in reversed(replays_of(run)[-_RECORDS:])]
    for other in others:
        same = run is None or other.id != run.id
        fits = task is None or other.settings.get("task.name") == task
        if same and fits and other.run.last_checkpoint.is_file() and len(found) < _OTHERS:
            best = max((point.mean for point in other.status.evaluations), default=None)
            text = f"live    {short_id(other.id)}  {short_name(other)}  best return {figure(best)}"
            found.append(Source(str(other.run.last_checkpoint), text))
    return found


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def describe(path: Path) -> str:
    """Return a line about a recorded episode; one that cannot be read says so."""
    try:
        replay = load_replay(path)
    except LamoError:
        return f"{path.name}  (damaged)"
    episode = replay.episode
    return (
        f"{record_label(path, replay)}: return {figure(episode.ret)} for target {figure(episode.target)}, "
        f"{counted(episode.length, 'decision')}"
    )


class Sources(ResilientWidget, ModalScreen[str | None]):
    """A list to choose from, and a line for anything else; `root` is the folder of runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("enter", "take", "take"),
        Binding("slash", "type", "type"),
    ]

    def __init__(self, title: str, sources: Sequence[Source], root: Path, cursor: Style) -> None:
        super().__init__()
        self._title, self._sources, self._root, self._cursor = title, sources, root, cursor

    def compose(self) -> ComposeResult:
        """List, line and keys."""
        with Vertical(classes="dialog tall"):
            yield Static(self._title, classes="title")
            yield Rows(id="sources", empty="  nothing here yet: / takes a file or a run")
            yield Input(placeholder="a checkpoint, a replay, or a run", compact=True)
            yield Static(classes="problem")
            keys = (("enter", "bold"), " play it   ", ("/", "bold"), " type a name   ", ("esc", "bold"), " go back")
            yield Static(Text.assemble(*keys), classes="keys")

    def on_mount(self) -> None:
        """Fill the list."""
        rows = self.query_one(Rows)
        rows.cursor_style = self._cursor
        rows.set_rows([Row(source.path, _drawn(source)) for source in self._sources])
        rows.focus()

    def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """Take what was clicked twice."""
        self.action_take()

    def action_take(self) -> None:
        """Play what the cursor is on."""
        key = self.query_one(Rows).key
        if key is not None and self.query_one(Rows).has_focus:
            self.dismiss(key)

    def action_type(self) -> None:
        """Go to the line."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Play what was typed, if it is there."""
        try:
            self.dismiss(str(find_source(event.value.strip(), self._root)))
        except LamoError as error:
            problem = self.query_one(".problem", Static)
            problem.update(Text(str(error)))
            problem.add_class("bad")

    def action_close(self) -> None:
        """Leave it."""
        self.dismiss(None)


def _drawn(source: Source) -> Callable[[int], Text]:
    return lambda width: Text(f" {source.text}")
