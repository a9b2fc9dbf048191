"""`lamo data collect`: play episodes and record them as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lamo_core.errors import LamoError, UsageError
from lamo_core.wording import counted
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.format import file_size

COLLECT_EPILOG = (
    "Examples:  lamo data collect gym:CartPole-v1 --policy random --transitions 10000   ·   "
    "lamo data collect atari-freeway --train dqn --steps 200000   ·   "
    "lamo data collect kitchen-complete --out collected"
)
_USUAL_TRANSITIONS = 10_000


def collect(
    name: Annotated[
        str,
        typer.Argument(
            help="A set with a recipe, such as breakout-medium; or, with --policy or --train, a task: gym:ID for any "
            "environment of Gymnasium, atari-GAME for any game, or one of lamo's own.",
            metavar="SET|TASK",
        ),
    ],
    policy: Annotated[
        str | None, typer.Option(metavar="random|CKPT", help="Who plays TASK: random actions, a checkpoint, or a run.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(metavar="ppo|sac|dqn", help="Train a policy on TASK and record its whole learning history."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="With --train: decisions to learn from.")] = 100_000,
    transitions: Annotated[
        int,
        typer.Option(
            min=0, show_default=False, help="Whole episodes until there are so many [default: 10000, or the recipe's]."
        ),
    ] = 0,
    episodes: Annotated[
        int | None,
        typer.Option(min=1, help="So many whole episodes instead; for --policy and recipes of vectors."),
    ] = None,
    as_name: Annotated[str, typer.Option("--name", help="Name of the new set [default: task and policy].")] = "",
    seed: Annotated[int, typer.Option(min=0, max=2**30, help="Of the first episode, and of the training.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder for the set [default: where data.set=NAME finds it]; recipes need one."
        ),
    ] = None,
    policies: Annotated[
        Path, typer.Option(help="Recipes: folder of the behaviour policies' .npz files; scripted sets need none.")
    ] = Path(),
    shard: Annotated[str, typer.Option(help="Atari recipes: I/N plays every N-th episode from I on.")] = "0/1",
    games: Annotated[int, typer.Option(min=1, help="Atari recipes: games that one process plays at once.")] = 32,
    pack: Annotated[bool, typer.Option(help="Recipes: write the set's file and its card at the end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Play a task and record the episodes as a set. It is trained on with data.set=NAME.

    Recipes go on where they were stopped. Ctrl-C ends --policy and --train early and keeps whole episodes.
    Atari recipes can be shared by processes: with several shards, --transitions counts for each; give --no-pack to all
    but the last that runs (lamo data collect pong-medium --policies weights --out collected --shard 0/2).
    """
    if episodes is not None:
        _check_episodes(transitions, train)
    error: LamoError | None = None
    if policy is not None or train is not None:
        if policy is not None and train is not None:
            raise UsageError("give either --policy or --train")
        from lamo_tui.cli.data.collect_task import Asked, record_play, record_training

        asked = Asked(name, as_name, transitions or _USUAL_TRANSITIONS, episodes, seed, out)
        result, error = record_play(asked, policy) if policy is not None else record_training(asked, str(train), steps)
    else:
        from lamo_tui.cli.data.collect_recipe import collect_recipe

        result = collect_recipe(name, policies, out, transitions, episodes, shard, games, pack)
    if as_json:
        emit_json(result)
    else:
        _say(result, out)
    if error is not None:
        raise error


def _check_episodes(transitions: int, train: str | None) -> None:
    """Refuse a number of episodes where something else says how much is recorded."""
    if transitions:
        raise UsageError("give --episodes or --transitions, not both: either says how much is recorded")
    if train is not None:
        raise UsageError("--train records every episode of the training; say its length with --steps, not --episodes")


def _say(result: dict[str, Any], out: Path | None) -> None:
    """Print what was recorded, and how to train on it; a recipe's part that is not packed yet has only counts."""
    count = {name: result.get(name, result.get(f"new_{name}", 0)) for name in ("episodes", "transitions")}
    parts = [f"{counted(count['episodes'], 'episode')} with {counted(count['transitions'], 'transition')}"]
    parts += [f"mean return {result['mean_return']:,.4g}"] if "mean_return" in result else []
    parts += [file_size(result["log_bytes"])] if "log_bytes" in result else []
    say(f"{result['set']}: {', '.join(parts)}" + (f" in {result['folder']}" if "folder" in result else ""))
    if out is None:
        console().print(f"train on it with: lamo train --set data.set={result['set']}", markup=False)
