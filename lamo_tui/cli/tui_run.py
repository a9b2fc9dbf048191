"""The dashboard, run from a command: in the terminal, or without one for a picture of it."""

from __future__ import annotations

import select
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textual.pilot import Pilot

from lamo_core.errors import LamoError, UsageError
from lamo_core.runs.index import list_runs
from lamo_tui.cli.output import console, note, say
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import take_picture
from lamo_tui.dashboard.unexpected import write_details
from lamo_tui.resilience import sentence
from lamo_tui.state.settings import read_settings
from lamo_tui.state.view_state import load_view, save_view
from lamo_tui.terminal.ascii_fallback import can_draw
from lamo_tui.terminal.graphics import choose_graphics
from lamo_tui.terminal.hangup import end_without_terminal


@dataclass(frozen=True)
class Opening:
    """What the dashboard opens."""

    root: Path
    """The folder of runs."""
    run: str | None
    """The id of a run that is shown at once."""
    screen: str | None
    ascii: bool | None
    """Whether nothing but ASCII is drawn; None leaves it to the settings."""
    pixels: str


def open_dashboard(opening: Opening, picture: tuple[tuple[int, int], Path | None] | None) -> None:
    """Run the dashboard, or print a picture of it: its size in columns and rows, and the SVG file if it is to be one.

    Raises `LamoError`.
    """
    once = picture is not None
    settings, problems = read_settings(draws=can_draw(sys.stdout if once else sys.stderr))
    if opening.ascii is not None:
        settings = replace(settings, ascii=opening.ascii)
    graphics = choose_graphics(opening.pixels) if not (once or settings.ascii) else None
    app = LamoApp(
        opening.root,
        settings=settings,
        view=load_view(opening.root),
        keep=None if once else save_view,
        attach=opening.run,
        follow=not once,
        pixels=graphics,
    )
    app.first_mode = opening.screen
    if picture is not None:
        warn_of(problems)
        size, svg = picture
        say(take(app, size, lambda pilot: _picture(app, pilot, svg)))
        return
    app.doubts = problems
    watch(app)


async def _picture(app: LamoApp, pilot: Pilot[None], svg: Path | None) -> str:
    app.tick()
    # the first look says which runs are in view, the second reads them
    await pilot.pause()
    app.tick()
    await app.workers.wait_for_complete()
    await pilot.pause()
    return take_picture(app, svg)


def take(app: LamoApp, size: tuple[int, int], look: Callable[[Pilot[None]], Awaitable[str]]) -> str:
    """Run the dashboard without a terminal and return the picture that `look` takes; `size` is columns, rows.

    What could not be shown is told beside it. Raises the `LamoError` that `look` raises, and one that tells of whatever
    else ended `look`, or the dashboard before it had a screen.
    """
    pictures: list[str] = []
    errors: list[Exception] = []

    async def pilot_it(pilot: Pilot[None]) -> None:
        try:
            pictures.append(await look(pilot))
        except Exception as error:  # it would leave as a traceback, often only of what followed
            errors.append(error)
        app.exit()

    app.endures = True
    app.run(headless=True, size=size, auto_pilot=pilot_it)  # type: ignore[arg-type]
    for said in app.unexpected.told:
        note(said)
    for error in (app.failure, *errors):
        if error is not None:
            raise error if isinstance(error, LamoError) else _unknown(error)
    return pictures[0] if pictures else ""


def watch(app: LamoApp) -> None:
    """Run the dashboard in the terminal; afterwards say on the normal screen what goes on, and how to come back.

    Raises the `LamoError` that tells of an error which ended it before it had a screen.
    """
    app.endures = True
    if hasattr(select, "poll"):  # Windows ends what ran in a window that is closed
        end_without_terminal(app.keep_view)
    app.run()
    out = console()
    active = [run for run in list_runs(app.root) if run.derived.active]
    for run in active:
        out.print(f"{run.id} goes on ({run.state})", markup=False)
        out.print(f"  watch it: lamo tui --attach {run.id}", markup=False)
        out.print(f"  stop it:  lamo stop {run.id}", markup=False)
    if app.failure is not None:
        raise _unknown(app.failure)


def warn_of(problems: Sequence[UsageError]) -> None:
    """Say what of the settings is passed over."""
    for problem in problems:
        note(f"{problem}; passed over")


def _unknown(error: Exception) -> LamoError:
    """Write down an error that nobody expected, and return the sentence that tells of it."""
    path = write_details(["".join(traceback.format_exception(error))])
    return LamoError(
        f"the dashboard met an error it does not know ({sentence(error)}); training is not touched, "
        f"start it again with: lamo tui. Details are in {path}"
    )
