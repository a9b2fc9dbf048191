"""`lamo replay`: watch a policy or a recorded episode, or turn it into a file."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.errors import LamoError, UsageError
from lamo_core.places import runs_dir
from lamo_core.wording import counted
from lamo_tui.cli import completion
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.parameters import finite
from lamo_tui.cli.progress import progress
from lamo_tui.cli.tui import take, warn_of, watch
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import take_picture
from lamo_tui.replay.player_client import PlayerProcess
from lamo_tui.replay.request import Request
from lamo_tui.state.settings import read_settings
from lamo_tui.state.view_state import load_view, save_view
from lamo_tui.terminal.ascii_fallback import can_draw
from lamo_tui.terminal.color_system import check_terminal, choose_colours, parse_size
from lamo_tui.terminal.graphics import choose_graphics

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from lamo_core.player.sources import Opened
    from lamo_tui.dashboard.app import LamoApp
    from lamo_tui.replay.episode_state import EpisodeState
    from lamo_tui.replay.request import Request


class ContextChoice(StrEnum):
    """What the policy sees when it decides."""

    sliding = "sliding"
    chunked = "chunked"


class ActionChoice(StrEnum):
    """How an action is taken from the policy's distribution."""

    sample = "sample"
    greedy = "greedy"


REPLAY_EPILOG = (
    "Examples:  lamo replay last --target 120   ·   lamo replay runs/ID/replays/000900-target86.npz --save episode.gif"
)


def replay(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PATH|RUN|CKPT",
            help="A replay (.npz), a checkpoint (.pt), a run, or `last`.",
            autocompletion=completion.checkpoints,
        ),
    ] = "last",
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the episode [default: that of evaluations].")
    ] = None,
    target: Annotated[
        float | None, typer.Option(callback=finite, help="Return to ask for [default: from the data].")
    ] = None,
    beside: Annotated[
        str | None, typer.Option(metavar="PATH|RUN|CKPT", help="Play this one beside it, with the same seed.")
    ] = None,
    context: Annotated[
        ContextChoice | None,
        typer.Option(metavar="sliding|chunked", help="What the policy sees [default: as in training]."),
    ] = None,
    action: Annotated[
        ActionChoice | None,
        typer.Option(metavar="sample|greedy", help="Draw actions or take the likeliest [default: as in training]."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Do not show it: play to the end and keep it as .gif, .mp4, .cast or .npz."),
    ] = None,
    decisions: Annotated[int, typer.Option(min=0, help="With --save, stop after so many decisions; 0 plays all.")] = 0,
    at: Annotated[int, typer.Option(min=0, help="Decision that --once shows.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="Print one picture as text and end.")] = False,
    screen_size: Annotated[
        str | None, typer.Option("--size", metavar="COLSxROWS", help="Size of the picture with --once.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="With --once, write the picture as SVG.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, auto, cuda, cuda:N or mps; a GPU is left to training.")] = "cpu",
    pixels: Annotated[str, typer.Option(help="Real pixels where there are any: auto, kitty or blocks.")] = "auto",
    color: Annotated[str, typer.Option(help="auto, truecolor, 256, 16 or none.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="With --save, print one JSON object on stdout.")] = False,
) -> None:
    """Watch a policy play, or an episode that was recorded; pause, scrub, change the target, take over, compare."""
    options: dict[str, Any] = {"seed": seed, "target": target}
    options |= {"context": context.value if context else None, "action": action.value if action else None}
    options = {name: value for name, value in options.items() if value is not None}
    if target is not None and not math.isfinite(target):
        raise UsageError(f"--target wants a finite number, not {target:g}")
    path = _find(source, options)
    if save is not None:
        _save(path, options, save, decisions, device, as_json)
        return

    size = parse_size(screen_size) if screen_size else shutil.get_terminal_size((120, 40))
    choose_colours(color)
    if not once:
        check_terminal()
    second = _find(beside, {}) if beside is not None else None
    _show(path, second, options, device, pixels, (size[0], size[1], at, svg) if once else None)


def _find(source: str, options: dict[str, Any]) -> Path:
    from lamo_core.player.sources import REPLAY_ENDING, find_source

    path = find_source(source)
    if path.suffix == REPLAY_ENDING and options:
        raise UsageError(
            f"a recorded episode has its own seed and target; leave out --{next(iter(options))}, or play the "
            "checkpoint of its run"
        )
    return path


def _save(path: Path, options: dict[str, Any], file: Path, decisions: int, device: str, as_json: bool) -> None:
    """Play without showing anything, and keep the episode."""
    from lamo_core.player.episode_export import check_save, save_episode
    from lamo_core.player.sources import Opener, Wanted

    check_save(file)
    out = console()
    with progress() as report:
        opened = Opener(device=device).open(str(path), Wanted(**options), lambda text: report(text, 0, 0))
        _play_to_the_end(opened, decisions, report)
        save_episode(file, opened, lambda done, total: report(f"writing {file.name}", done, total))
    episode = opened.episode
    result = episode.track.result(episode.seed, episode.noops)
    out.print(
        f"{episode.task.title}, {opened.label}: return {result.ret:g} for target {result.target:g} in "
        f"{counted(result.length, 'decision')}, seed {result.seed}",
        markup=False,
    )
    if as_json:
        emit_json(
            {
                "source": str(path),
                "saved": str(file),
                "return": result.ret,
                "target": result.target,
                "decisions": result.length,
                "seed": result.seed,
                "ended": episode.track.ended,
            }
        )
    else:
        say(str(file))


def _play_to_the_end(opened: Opened, decisions: int, report: Any) -> None:
    episode = opened.episode
    most = decisions or episode.config.max_steps
    if opened.recorded and decisions and decisions < len(episode):
        episode.track = episode.track.cut(decisions)
    while len(episode) < most and not opened.recorded and episode.advance():
        if len(episode) % 10 == 0:
            report("playing", len(episode), decisions)


def _show(
    path: Path,
    second: Path | None,
    options: dict[str, Any],
    device: str,
    pixels: str,
    picture: tuple[int, int, int, Path | None] | None,
) -> None:
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
    from lamo_tui.replay.replay_screen import ReplayScreen

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
    import asyncio
    import time

    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        await asyncio.sleep(0.05)
