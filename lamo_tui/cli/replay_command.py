"""`lamo replay`: watch a policy or a recorded episode, or turn it into a file."""

from __future__ import annotations

import math
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lamo_core.errors import UsageError
from lamo_tui.cli import completion
from lamo_tui.cli.parameters import finite
from lamo_tui.terminal.color_system import check_terminal, choose_colours, parse_size


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
    from lamo_tui.cli.replay_save import find_replay, save_replay

    path = find_replay(source, options)
    if save is not None:
        save_replay(path, options, save, decisions, device, as_json=as_json)
        return

    size = parse_size(screen_size) if screen_size else shutil.get_terminal_size((120, 40))
    choose_colours(color)
    if not once:
        check_terminal()
    second = find_replay(beside, {}) if beside is not None else None
    # here, as Textual takes colours as they are when it is imported
    from lamo_tui.cli.replay_show import show_replay

    show_replay(path, second, options, device, pixels, (size[0], size[1], at, svg) if once else None)
