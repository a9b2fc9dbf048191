"""Screens whose keys pause, stop, continue and delete runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lamo_core.runs.index import RunSummary
from lamo_core.runs.status import RESUMABLE
from lamo_core.runs.trash import KEPT_DAYS
from lamo_core.wording import counted
from lamo_tui.dashboard import run_actions
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.dialogs import Question
from lamo_tui.text import short_id, short_name

if TYPE_CHECKING:
    from lamo_tui.dashboard.run_actions import Action

_NAMED = 8
"""A question names this many runs at most."""


class SteeringScreen(LamoScreen):
    """Has the actions; subclasses say which runs they apply to."""

    def targets(self) -> list[RunSummary]:
        """Return the runs that an action applies to."""
        raise NotImplementedError

    def useless_keys(self) -> frozenset[str]:
        """Return the keys that none of the runs would heed in its state."""
        runs = self.targets()
        useless = [] if any(run.derived.active for run in runs) else ["stop", "pause", "free", "change", "save", "eval"]
        useless += [] if any(run.state in RESUMABLE or run.state == "paused" for run in runs) else ["resume"]
        return frozenset(f"{self.PLACE}.{name}" for name in useless)

    def action_replay(self) -> None:
        """Watch the policy of the first of them play."""
        for run in self.targets()[:1]:
            self.lamo.try_to(partial(self.lamo.play_run, run))

    def action_asked(self) -> None:
        """Show what returns the policy of the first of them achieves when it is asked for them."""
        for run in self.targets()[:1]:
            self.lamo.try_to(partial(self.lamo.open_asked, run))

    def action_pause(self) -> None:
        """Pause, or let go on."""
        self.steer(run_actions.pause_or_go_on)

    def action_free(self) -> None:
        """Pause, and give the GPU back meanwhile."""
        self.steer(run_actions.pause_and_free)

    def action_resume(self) -> None:
        """Continue what ended early."""
        self.steer(run_actions.go_on)

    def action_stop(self) -> None:
        """Stop after a question."""
        self.confirm(
            "Stop", "The step under way is finished, and a checkpoint saved.", partial(run_actions.ask, command="stop")
        )

    def action_delete(self) -> None:
        """Delete after a question."""
        what = f"They stay in the trash for {KEPT_DAYS} days: undelete brings them back. Its disk space is freed by:"
        command = "lamo runs rm --trash"
        self.confirm("Delete", f"{what}\n  {command}", partial(run_actions.delete, when=self.lamo.clock()))

    def steer(self, action: Action) -> None:
        """Do something to all of them, each with its own sentence."""
        for run in self.targets():
            self.lamo.try_to(partial(action, run))

    def confirm(self, verb: str, what: str, action: Action) -> None:
        """Ask before something is done to the runs."""
        runs = self.targets()
        if not runs:
            return

        def answered(yes: bool | None) -> None:
            for run in runs if yes else ():
                self.lamo.try_to(partial(action, run))

        lines = [f"  {short_id(run.id)}  {short_name(run)}  ({run.state})" for run in runs[:_NAMED]]
        more = [f"  and {len(runs) - _NAMED} more"] if len(runs) > _NAMED else []
        title = f"{verb} this run?" if len(runs) == 1 else f"{verb} these {counted(len(runs), 'run')}?"
        self.app.push_screen(Question(title, [*lines, *more, "", what], f"yes, {verb.lower()}"), answered)
