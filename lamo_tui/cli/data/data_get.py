"""`lamo data get`: fetch a published set, or unpack the frames of one that is here."""

from __future__ import annotations

from typing import Annotated

import typer

from lamo_core.data.source_names import PUBLISHED
from lamo_core.shares import parse_share
from lamo_tui.cli import completion

GET_EPILOG = (
    "Examples:  lamo data get breakout-medium --ratio 1%   ·   lamo data get hopper-medium --source d4rl --dry-run"
    "   ·   lamo data get breakout-medium --source dqn-replay   ·   lamo data get D4RL/kitchen/complete-v2"
)


def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SET", help="A set of `lamo data list`, or a published one.", autocompletion=completion.sets
        ),
    ],
    source: Annotated[str | None, typer.Option(help=f"{', '.join(PUBLISHED)}; without it the name tells.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched, and how much.")] = False,
    ratio: Annotated[str, typer.Option(help="Share of the episodes to unpack, such as 1% or 0.01.")] = "100%",
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Decides which episodes; the seed of the runs that use them.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Fetch a published set, or unpack the frames of one that ships. Goes on where it stopped.

    DQN-Replay's names are those of d4rl-atari: breakout-medium-v0 is slice 10 of run 1; mixed, expert and epoch-N are
    others, v0 to v4 the runs. D4RL's are such as hopper-medium-v2 and kitchen-complete-v0, Minari's such as
    D4RL/kitchen/complete-v2. Addresses can be changed: see LAMO_SOURCES in the README.
    """
    from lamo_tui.cli.data.data_fetch import get_set

    get_set(name, source, parse_share(ratio), seed, dry_run=dry_run, as_json=as_json)
