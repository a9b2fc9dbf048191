"""`lamo tui`: the dashboard."""

from __future__ import annotations

import gc
import select
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.config import unknown_key
from lamo_core.errors import LamoError
from lamo_core.places import runs_dir
from lamo_core.runs.directory import find_run
from lamo_core.runs.index import list_runs
from lamo_tui.cli.output import console, note, say
from lamo_tui.state.view_state import load_view, save_view
from lamo_tui.terminal.ascii_fallback import can_draw
from lamo_tui.terminal.color_system import check_terminal, choose_colours, parse_size
from lamo_tui.terminal.graphics import choose_graphics
from lamo_tui.terminal.hangup import end_without_terminal

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from lamo_core.errors import LamoError, UsageError
    from lamo_tui.dashboard.app import LamoApp

TUI_EPILOG = "Examples:  lamo tui   ·   lamo tui --attach last   ·   lamo tui --once --size 120x40"
_SCREENS = ("runs", "run", "new", "data", "matrix", "settings", "help")


def tui(
    runs: Annotated[
        Path | None, typer.Option("--runs", metavar="FOLDER", help="The folder of runs [default: LAMO_RUNS or ./runs].")
    ] = None,
    attach: Annotated[str | None, typer.Option("--attach", metavar="RUN", help="Open this run at once.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one picture as text and end.")] = False,
    color: Annotated[str, typer.Option(help="auto, truecolor, 256, 16 or none.")] = "auto",
    ascii_only: Annotated[
        bool | None,
        typer.Option("--ascii/--no-ascii", help="Draw nothing but ASCII [default: as settings or locale say]."),
    ] = None,
    pixels: Annotated[str, typer.Option(help="Real pixels in Replay: auto, kitty or blocks.")] = "auto",
    screen_size: Annotated[
        str | None, typer.Option("--size", metavar="COLSxROWS", help="Size of the picture with --once.")
    ] = None,
    screen: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Open this screen: runs, run, new, data, matrix, settings or help."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="With --once, write the picture as SVG.")
    ] = None,
) -> None:
    """Pick, start, watch and steer runs in the terminal; leaving it leaves training running."""
    from lamo_tui.state.settings import read_settings

    if screen is not None and screen not in _SCREENS:
        raise unknown_key(screen, list(_SCREENS), "screen")
    size = parse_size(screen_size) if screen_size else shutil.get_terminal_size((120, 40))
    choose_colours(color)
    root = runs if runs is not None else runs_dir()
    attach = "last" if screen == "run" and attach is None else attach
    run = find_run(attach, root) if attach is not None else None
    if run is not None:
        root = run.path.parent
    settings, problems = read_settings(draws=can_draw(sys.stdout if once else sys.stderr))
    if ascii_only is not None:
        settings = replace(settings, ascii=ascii_only)
    if not once:
        check_terminal()
    graphics = choose_graphics(pixels) if not (once or settings.ascii) else None

    # modules stay, so that looking for garbage among them while they load is lost time
    gc.disable()
    from lamo_tui.dashboard.app import LamoApp

    attached = run.id if run else None
    view, keep = load_view(root), None if once else save_view
    app = LamoApp(root, settings=settings, view=view, keep=keep, attach=attached, follow=not once, pixels=graphics)
    app.first_mode = screen
    gc.freeze()
    gc.enable()
    if once:
        warn_of(problems)
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
    from lamo_tui.dashboard.screenshot import take_picture

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
    import traceback

    from lamo_tui.dashboard.unexpected import write_details
    from lamo_tui.resilience import sentence

    path = write_details(["".join(traceback.format_exception(error))])
    return LamoError(
        f"the dashboard met an error it does not know ({sentence(error)}); training is not touched, "
        f"start it again with: lamo tui. Details are in {path}"
    )
