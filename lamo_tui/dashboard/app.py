"""The dashboard: a viewer of the runs folder that can also start and steer runs. It never imports torch.

Only the list of runs is loaded at the start; every other screen when somebody goes there, as they need NumPy and more.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import Input

from lamo_core.errors import LamoError
from lamo_core.runs.index import RunSummary
from lamo_tui.dashboard.messages import AskedHeard
from lamo_tui.dashboard.notifications import Announcer
from lamo_tui.dashboard.palette import LamoCommands
from lamo_tui.dashboard.polling_app import Watching
from lamo_tui.dashboard.target_sweep_jobs import Desk
from lamo_tui.dashboard.unexpected import Unexpected
from lamo_tui.keys.bindings import bindings_of
from lamo_tui.replay.player_client import PlayerProcess
from lamo_tui.replay.request import Request
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.runs.runs import RunsScreen
from lamo_tui.state.settings import Settings
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.state.store import RunStore
from lamo_tui.state.view_state import View

if TYPE_CHECKING:
    from textual.command import Provider

    from lamo_core.workers.conversation import Hear
    from lamo_tui.dashboard.new_run_model import NewRuns
    from lamo_tui.dashboard.target_sweep_jobs import Desk
    from lamo_tui.replay.player_client import Link
    from lamo_tui.replay.request import NewPlayer, Request
    from lamo_tui.terminal.graphics import Graphics

_HOME = "runs"
"""The screen to begin with, where nothing else is asked for."""
_KEEP_SECONDS = 2.0
"""How often what changed of the view is written down."""


def _later(module: str, name: str) -> Callable[[], Screen[Any]]:
    """Return a function that makes a screen, and loads its module for it."""
    return lambda: getattr(importlib.import_module(f"lamo_tui.{module}"), name)()


def _commands() -> type[Provider]:
    return LamoCommands


class LamoApp(Watching):
    """The application.

    `clock` and `follow` False (ticks by hand) are for tests and single pictures.
    """

    CSS_PATH = "app.tcss"
    TITLE = "lamo"
    MODES: ClassVar = {
        "runs": RunsScreen,
        "run": _later("screens.run.run", "RunScreen"),
        "new": _later("screens.new_run.new_run", "NewRunScreen"),
        "data": _later("screens.data", "DataScreen"),
        "replay": _later("replay.replay_screen", "ReplayScreen"),
        "matrix": _later("screens.matrix_screen", "MatrixScreen"),
        "settings": _later("screens.settings.settings_screen", "SettingsScreen"),
        "help": _later("screens.help", "HelpScreen"),
    }
    BINDINGS = bindings_of("app")
    COMMANDS: ClassVar = {_commands}

    def __init__(
        self,
        root: Path,
        *,
        settings: Settings | None = None,
        view: View | None = None,
        keep: Callable[[View, Path], None] | None = None,
        attach: str | None = None,
        store: RunStore | None = None,
        clock: Callable[[], float] = time.time,
        follow: bool = True,
        replay: Request | None = None,
        pixels: Graphics | None = None,
        new_player: NewPlayer | None = None,
    ) -> None:
        super().__init__(root, settings, view, keep, pixels, store, clock)
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]
        self.opened: str | None = attach
        self.came_from = _HOME
        """The screen that was in view before the settings."""
        self.first_mode: str | None = None
        """The screen to begin with, where neither an episode nor a run decides."""
        self.doubts: Sequence[LamoError] = ()
        """What of the settings file is passed over."""
        self.failure: Exception | None = None
        """What ended the dashboard before there was a screen."""
        self.endures = False
        """Whether it goes on after an unexpected error, which is told in a sentence; else Textual ends and raises it,
        as tests want it."""
        self.unexpected = Unexpected()
        self.replay = replay
        """What the Replay screen opens when it comes into view."""
        self.new_player = new_player or self._start_player
        self._follow = follow
        self._welcomed = self._showing = False
        self._announcer = Announcer()

    def on_mount(self) -> None:
        """Go to the first screen and start following the folder."""
        # not by DEFAULT_MODE: where tasks start eagerly (Python 3.12) a screen works before Textual has put it on the
        # stack of its mode, so that there must be another one on which it finds what it asks the app for
        asked = "replay" if self.replay is not None else self.first_mode
        self.switch_mode(asked or (_HOME if self.opened is None else "run"))
        if self._follow:
            self._poll_store()
        for doubt in self.doubts:
            self.notify(f"{doubt}; it is passed over", severity="warning", timeout=15)
        # not only at the end, as the terminal may be closed
        self.set_interval(_KEEP_SECONDS, self.keep_view)
        self._showing = True

    def on_unmount(self) -> None:
        """Remember how it was looked at; what plays here ends."""
        self.keep_view()
        if "desk" in vars(self):
            self.desk.stop()

    def _start_player(self, hear: Hear) -> Link:
        return PlayerProcess(hear, root=self.root)

    def on_key(self, event: events.Key) -> None:
        """A letter that was under way while the focus went to a line of text belongs to it, not to the screen."""
        if isinstance(self.focused, Input) and event.is_printable and event.character is not None:
            self.focused.insert_text_at_cursor(event.character)
            event.prevent_default()

    def show(self, snapshot: Snapshot) -> None:
        """Give a snapshot to the screen in view, and say what has just happened."""
        self.snapshot = snapshot
        for news in self._announcer.news(snapshot):
            words = news.words(self.opened if self.current_mode == "run" else None)
            self.notify(words, severity=news.severity, timeout=10)
        with self.batch_update():
            self._update_screens()
        if snapshot.listed and not self._welcomed:
            self._welcomed = True
            if not snapshot.runs and self.opened is None and self.current_mode == "runs":
                from lamo_tui.screens.welcome import WelcomeScreen

                self.push_screen(WelcomeScreen())

    def _update_screens(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, LamoScreen) and screen.is_mounted:
                # parts are not there while it is being built or taken away; then it shows the newest when it is ready
                with contextlib.suppress(NoMatches):
                    screen.update(self.snapshot)

    def open_run(self, run_id: str) -> None:
        """Show a run."""
        self.opened = run_id
        self.remember(opened=run_id)
        self.switch_mode("run")
        self.wake()

    def play_run(self, run: RunSummary) -> None:
        """Watch a run's policy play; raises `UsageError` when there is nothing to play yet."""
        from lamo_core.player.sources import source_of_run

        self.open_replay(Request(str(source_of_run(run.run)), preview=True))

    @cached_property
    def desk(self) -> Desk:
        """The sweep of targets that is played here."""
        return Desk(lambda: self.post_message(AskedHeard()))

    def open_asked(self, run: RunSummary) -> None:
        """Show what returns a run's policy achieves when asked for them; it plays now where that is not known yet."""
        from lamo_tui.screens.run.target_sweep_screen import AskedScreen

        if self.desk.found(run.run) is None:
            self.desk.begin(run.run)
        self.push_screen(AskedScreen(run))

    def on_asked_heard(self) -> None:
        """Show news of the sweep, or say that it has ended to who looks at something else."""
        from lamo_tui.screens.run.target_sweep_screen import AskedScreen

        job = self.desk.job
        for screen in self.screen_stack:
            if isinstance(screen, AskedScreen) and screen.is_mounted:
                screen.show_sweep()
        if job is not None and not job.working and not isinstance(self.screen, AskedScreen):
            said = job.problem or "asked and achieved is there; <*.asked> shows it"
            self.notify(f"{job.run.id}: {said}")

    def open_replay(self, request: Request) -> None:
        """Show an episode."""
        self.replay = request
        self.action_mode("replay")

    def new_run(self, wanted: str | NewRuns | None) -> None:
        """Open the New run screen, with a preset or a whole choice of runs taken over."""
        from lamo_tui.dashboard.new_run_model import runs_of
        from lamo_tui.screens.new_run.new_run import NewRunScreen

        self.action_mode("new")
        screen = self.screen
        if wanted is not None and isinstance(screen, NewRunScreen):
            runs = runs_of(wanted) if isinstance(wanted, str) else wanted
            screen.call_after_refresh(screen.choose, runs)

    def show_runs(self, query: str) -> None:
        """List the runs that fit a query."""
        self.action_mode("runs")
        screen = self.screen
        if isinstance(screen, RunsScreen):
            screen.call_after_refresh(screen.filter_by, query)

    def try_to(self, action: Callable[[], str | None]) -> None:
        """Do something and show its sentence, or that of the error that it raised."""
        try:
            said = action()
        except LamoError as error:
            self.notify(str(error), severity="error", timeout=8)
            return
        if said:
            self.notify(said, timeout=4)
        self.wake()

    def action_mode(self, mode: str) -> None:
        """Go to a screen."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        if mode == "settings" and self.current_mode != mode:
            self.came_from = self.current_mode
        if mode == "run" and self.opened is None and self.snapshot.runs:
            before = self.snapshot.run(self.view.opened)
            self.opened = before.id if before is not None else self.snapshot.runs[0].id
        self.switch_mode(mode)

    def action_leave(self) -> None:
        """End the dashboard; runs go on."""
        self._wake.set()
        self.exit()

    def _handle_exception(self, error: Exception) -> None:
        # whatever raises in a screen, a panel, a timer or a thread ends up here; no input may end the dashboard
        if not self.endures:
            super()._handle_exception(error)
        elif self._showing:
            said = self.unexpected.take(error)
            if said is not None:
                self.notify(said, severity="error", timeout=15)
        else:  # there is nothing yet that could go on
            self.failure = self.failure or error
            self._return_code = 1
            self._wake.set()
            self._close_messages_no_wait()
