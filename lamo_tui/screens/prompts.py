"""A screen of one run that asks for a line of text: a setting to change, a run to compare with."""

from __future__ import annotations

from functools import partial

from lamo_core.runs.directory import find_run
from lamo_core.runs.index import RunSummary
from lamo_tui.dashboard import run_actions
from lamo_tui.screens.dialogs import Entry, differences
from lamo_tui.screens.runs.run_keys import SteeringScreen


class AskingScreen(SteeringScreen):
    """Has the actions; they apply to the first of `targets`."""

    def action_change(self) -> None:
        """Ask for name=value and change that setting of the working run."""
        run = next(iter(self.targets()), None)
        if run is None:
            return
        if not run.derived.active:
            self.lamo.try_to(partial(run_actions.refuse_change, run))
            return

        def entered(text: str | None) -> None:
            if text is not None:
                self.lamo.try_to(partial(run_actions.change, run, text))

        check = partial(run_actions.assignment, run)
        value = f"eval.every={run.run.read_config().eval.every}"
        self.app.push_screen(Entry("Change a setting while it runs", value, check, run_actions.changeable()), entered)

    def action_diff(self) -> None:
        """Ask for another run and show in which settings the two differ."""
        run = next(iter(self.targets()), None)
        others = [other for other in self.lamo.snapshot.runs if run is not None and other.id != run.id]
        if run is None or not others:
            self.notify("there is no other run to compare with")
            return

        def other_run(text: str) -> RunSummary:
            found = find_run(text.strip(), self.lamo.root).id
            return next(other for other in self.lamo.snapshot.runs if other.id == found)

        def entered(text: str | None) -> None:
            if text is not None:
                self.app.push_screen(differences([run, other_run(text)]))

        hint = "an id, or a part of one that fits no other run"
        self.app.push_screen(Entry("Compare with which run?", others[0].id, other_run, hint), entered)
