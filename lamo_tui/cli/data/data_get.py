"""`lamo data get`: fetch a published set, or unpack the frames of one that is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamo_core.data.source_names import PUBLISHED
from lamo_core.settings.presets import is_preset
from lamo_core.shares import parse_share
from lamo_tui.cli import completion

GET_EPILOG = (
    "Examples:  lamo data get breakout-medium --ratio 1%   ·   lamo data get hopper-medium --source d4rl --dry-run"
    "   ·   lamo data get paper-atari-breakout --dry-run   ·   lamo data get D4RL/kitchen/complete-v2"
)


def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SET",
            help="A set of `lamo data list`, a published one, or a preset.",
            autocompletion=completion.sets,
        ),
    ],
    source: Annotated[str | None, typer.Option(help=f"{', '.join(PUBLISHED)}; without it the name tells.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="Take the published files from a folder of yours.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched, and how much.")] = False,
    ratio: Annotated[str, typer.Option(help="Share of the episodes to unpack, such as 1% or 0.01.")] = "100%",
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Decides which episodes; the seed of the runs that use them.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Fetch a published set, or unpack the frames of one that ships. Goes on where it stopped.

    Of a preset it fetches the data and the language model.

    Names of RL Unplugged and DQN-Replay are those of d4rl-atari: breakout-medium-v0 is slice 10 of run 1; mixed, expert
    and epoch-N are others, v0 to v4 the runs. D4RL's are such as hopper-medium-v2 and kitchen-complete-v0, Minari's
    such as D4RL/kitchen/complete-v2. Addresses can be changed: see LAMO_SOURCES in the README.
    """
    if source is None and is_preset(name):
        from lamo_tui.cli.data.preset_parts_get import get_preset

        get_preset(name, folder, dry_run=dry_run, as_json=as_json)
        return
    from lamo_tui.cli.data.data_fetch import get_set

    get_set(name, source, folder, parse_share(ratio), seed, dry_run=dry_run, as_json=as_json)
