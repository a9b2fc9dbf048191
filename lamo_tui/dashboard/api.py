"""Interface of the dashboard to its screens: what they read of the application and ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.app import App

from lamo_core.runs.index import RunSummary
from lamo_tui.replay.request import NewPlayer, Request
from lamo_tui.state.settings import Settings
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.state.store import RunStore
from lamo_tui.state.view_state import View
from lamo_tui.themes import Palette

if TYPE_CHECKING:  # loaded when a run is swept, or one is set up
    from lamo_tui.dashboard.new_run_model import NewRuns
    from lamo_tui.dashboard.target_sweep_jobs import Desk
    from lamo_tui.terminal.graphics import Graphics


class Dashboard(Protocol):
    """The application as screens see it. Everything else of it they reach through Textual's own `app`."""

    root: Path
    """The folder of runs."""
    snapshot: Snapshot
    store: RunStore
    settings: Settings
    view: View
    colours: Palette
    ascii: bool
    """Whether nothing but ASCII is drawn."""
    opened: str | None
    """The run that the Run screen shows."""
    came_from: str
    """The screen that was in view before the settings."""
    replay: Request | None
    """What the Replay screen opens when it comes into view."""
    new_player: NewPlayer
    pixels: Graphics | None
    graphics: Graphics | None
    """How the terminal draws pixels, and the same where that is used."""
    clock: Callable[[], float]

    @property
    def current_mode(self) -> str:
        """The screen in view."""

    @property
    def desk(self) -> Desk:
        """The sweep of targets that is played here."""

    def remember(self, **changes: Any) -> None:
        """Take over changes of how the folder is looked at: fields of `View`."""

    def wake(self) -> None:
        """Look at the folder soon, not only when it is time."""

    def try_to(self, action: Callable[[], str | None]) -> None:
        """Do something and show its sentence, or that of the error that it raised."""

    def action_mode(self, mode: str) -> None:
        """Go to a screen."""

    def open_run(self, run_id: str) -> None:
        """Show a run."""

    def play_run(self, run: RunSummary) -> None:
        """Watch a run's policy play; raises `UsageError` when there is nothing to play yet."""

    def open_asked(self, run: RunSummary) -> None:
        """Show the target sweep of a run."""

    def open_replay(self, request: Request) -> None:
        """Show an episode."""

    def new_run(self, wanted: str | NewRuns | None) -> None:
        """Open the New run screen, with a preset or a whole choice taken over."""

    def show_runs(self, query: str) -> None:
        """List the runs that fit a query."""

    def set_theme(self, name: str) -> None:
        """Take a theme from now on; "" leaves it to what was chosen last."""

    def set_ascii(self, only_ascii: bool | None) -> None:
        """Draw with ASCII alone or with all characters from now on; None leaves it to the terminal."""

    def set_keys(self, keymap: Mapping[str, str]) -> None:
        """Take other keys from now on: ids to keys, for what differs from the table."""


def dashboard(app: App[Any]) -> Dashboard:
    """Return Textual's application as the dashboard that it is."""
    return cast(Dashboard, app)
