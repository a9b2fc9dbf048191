"""`lamo tui`: the dashboard."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Annotated

import typer

from lamo_core.config import unknown_key
from lamo_core.places import runs_dir
from lamo_core.runs.directory import find_run
from lamo_tui.terminal.color_system import check_terminal, choose_colours, parse_size

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
    if screen is not None and screen not in _SCREENS:
        raise unknown_key(screen, list(_SCREENS), "screen")
    size = parse_size(screen_size) if screen_size else shutil.get_terminal_size((120, 40))
    choose_colours(color)
    root = runs if runs is not None else runs_dir()
    attach = "last" if screen == "run" and attach is None else attach
    run = find_run(attach, root) if attach is not None else None
    if run is not None:
        root = run.path.parent
    if not once:
        check_terminal()

    # modules stay, so that looking for garbage among them while they load is lost time
    gc.disable()
    # here, as Textual takes colours as they are when it is imported
    from lamo_tui.cli.tui_run import Opening, open_dashboard

    gc.freeze()
    gc.enable()
    opening = Opening(root, run.id if run else None, screen, ascii_only, pixels)
    open_dashboard(opening, (size, svg) if once else None)
