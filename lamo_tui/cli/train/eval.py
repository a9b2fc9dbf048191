"""`lamo eval`: score a checkpoint in the environment."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lamo_core.config import ContextMode
from lamo_core.errors import UsageError
from lamo_core.runs.manage import find_checkpoint
from lamo_tui.cli.parameters import CheckpointArgument


class ContextChoice(StrEnum):
    """What the policy sees when it decides."""

    sliding = "sliding"
    chunked = "chunked"
    both = "both"


class ActionChoice(StrEnum):
    """How an action is taken from the policy's distribution."""

    sample = "sample"
    greedy = "greedy"


EVAL_EPILOG = (
    "Examples:  lamo eval last   ·   lamo eval ckpt.pt --episodes 50 --target 60,120 --context both --video median.gif"
)


def eval(  # the name of the command
    checkpoint: CheckpointArgument,
    episodes: Annotated[int, typer.Option(min=1, max=100_000, help="Episodes per target.")] = 20,
    target: Annotated[
        str | None, typer.Option(metavar="X,Y", help="Returns to ask for [default: from the data].")
    ] = None,
    context: Annotated[
        ContextChoice | None,
        typer.Option(
            metavar="sliding|chunked|both",
            help="The last K steps re-encoded (sliding, exact), kept in a cache (chunked, fast), or both "
            "and how far they agree [default: as in training].",
        ),
    ] = None,
    action: Annotated[
        ActionChoice | None,
        typer.Option(metavar="sample|greedy", help="Draw actions or take the likeliest [default: as in training]."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the first episode [default: as in training].")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Film the median episode of the first target (.gif, .mp4).")
    ] = None,
    pretty: Annotated[
        bool, typer.Option("--pretty", help="Film with shadows, reflections and smooth edges (slower).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Play a checkpoint in its environment and score it, with a 95 % interval, beside random play and the data."""
    asked = _parse_targets(target) if target is not None else None
    path = find_checkpoint(checkpoint)
    if video is not None:
        _check_ending(video)

    from lamo_tui.cli.train.eval_play import Wanted, play_checkpoint

    wanted = Wanted(asked or (), episodes, _modes(context), action.value if action else None, seed, device)
    play_checkpoint(path, wanted, video, pretty=pretty, as_json=as_json)


def _parse_targets(text: str) -> tuple[float, ...]:
    try:
        targets = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--target wants numbers such as 60 or 60,120, not {text!r}") from error
    if not all(math.isfinite(value) for value in targets):
        raise UsageError(f"--target wants finite numbers, not {text!r}")
    return targets


def _check_ending(video: Path) -> None:
    """Refuse an unknown kind of film at once, before anything is loaded."""
    if video.suffix.lower() not in (".gif", ".mp4"):
        raise UsageError(f"a video is a .gif or .mp4 file, not {video.name!r}")


def _modes(choice: ContextChoice | None) -> tuple[ContextMode, ...]:
    """Return the kinds of context that are played; none leaves it to the training's."""
    if choice is None:
        return ()
    if choice is ContextChoice.both:
        return ("sliding", "chunked")
    return ("sliding",) if choice is ContextChoice.sliding else ("chunked",)
