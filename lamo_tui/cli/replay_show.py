"""The dashboard's player, opened on one episode, and a picture of it without a terminal."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from lamo_core.errors import LamoError
from lamo_core.places import runs_dir
from lamo_tui.cli.output import say
from lamo_tui.cli.tui_run import take, warn_of, watch
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import take_picture
from lamo_tui.replay.episode_state import EpisodeState
from lamo_tui.replay.player_client import PlayerProcess
from lamo_tui.replay.replay_screen import ReplayScreen
from lamo_tui.replay.request import Request
from lamo_tui.state.settings import read_settings
from lamo_tui.state.view_state import load_view, save_view
from lamo_tui.terminal.ascii_fallback import can_draw
from lamo_tui.terminal.graphics import choose_graphics


def show_replay(
    path: Path,
    second: Path | None,
    options: dict[str, Any],
    device: str,
    pixels: str,
    picture: tuple[int, int, int, Path | None] | None,
) -> None:
    """Play in the terminal, or print a picture: of so many columns and rows, at a decision, as SVG if it has a path.

    Raises `LamoError`.
    """
    settings, problems = read_settings(draws=can_draw(sys.stderr if picture is None else sys.stdout))
    graphics = choose_graphics(pixels) if picture is None and not settings.ascii else None

    run = path.resolve().parent.parent if (path.resolve().parent.parent / "run.json").is_file() else None
    root = runs_dir() if run is None else run.parent
    request = Request(str(path), options, play=picture is None, beside=None if second is None else str(second))
    app = LamoApp(
        root,
        settings=settings,
        view=load_view(root),
        keep=save_view if picture is None else None,
        follow=picture is None,
        replay=request,
        pixels=graphics,
        new_player=lambda hear: PlayerProcess(hear, device=device, root=root),
    )
    app.opened = None if run is None else run.name
    if picture is not None:
        warn_of(problems)
        columns, rows, at, svg = picture
        say(take(app, (columns, rows), lambda pilot: _picture(app, pilot, request, at, svg)))
        return
    app.doubts = problems
    watch(app)


async def _picture(app: LamoApp, pilot: Pilot[None], request: Request, at: int, svg: Path | None) -> str:
    """Return the screen, or the path of its SVG, once the frame is there; raises the error that the player told."""
    app.tick()
    screen = app.screen
    assert isinstance(screen, ReplayScreen)

    def shown() -> bool:
        return sum(bool(state.frame) for state in screen.states) > bool(request.beside)

    def over() -> bool:
        return screen.error is not None or app.failure is not None

    await _until(lambda: over() or shown())
    if at and not over():
        screen.tell("step", by=at)
        await _until(lambda: over() or _arrived(screen.states[0], at))
    if screen.error is not None:
        error = LamoError(screen.error["text"])
        error.exit_code = screen.error.get("code", 1)
        raise error
    await pilot.pause()
    return take_picture(app, svg)


def _arrived(state: EpisodeState, at: int) -> bool:
    """Return whether the playhead stands at a decision, or at the end of an episode that is shorter."""
    return state.at >= at or (bool(state.get("ended")) and state.at >= state.length > 0)


async def _until(done: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        await asyncio.sleep(0.05)
