"""`lamo data collect`: play episodes and record them as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

COLLECT_EPILOG = (
    "Examples:  lamo data collect breakout-medium --policies weights --out collected   ·   "
    "lamo data collect kitchen-complete --out collected"
)
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
_PACKED = ("episodes", "transitions", "log_bytes", "log_sha256")
"""What a card says about the packed set."""


def collect(
    name: Annotated[str, typer.Argument(help="A set with a recipe, such as breakout-medium.", metavar="SET")],
    out: Annotated[Path, typer.Option(help="Folder for the episodes, and for the finished set at the end.")],
    policies: Annotated[
        Path, typer.Option(help="Folder of the behaviour policies' .npz files; scripted sets need none.")
    ] = Path(),
    transitions: Annotated[
        int, typer.Option(min=0, help="Play whole episodes until there are as many; 0 is the recipe's number.")
    ] = 0,
    shard: Annotated[str, typer.Option(help="Atari: I/N plays every N-th episode from I on.")] = "0/1",
    games: Annotated[int, typer.Option(min=1, help="Atari: games that one process plays at once.")] = 32,
    pack: Annotated[bool, typer.Option(help="Write the set's file and its card at the end.")] = True,
    as_json: _Json = False,
) -> None:
    """Play a set's behaviour policies and record their episodes; goes on where it was stopped.

    Atari sets can be shared by processes: with several shards, --transitions counts for each; give --no-pack to all
    but the last that runs (lamo data collect pong-medium --policies weights --out collected --shard 0/2).
    """
    from lamo_core.data.vector_recipes import RECIPES
    from lamo_tui.cli.output import emit_json

    if name in RECIPES:
        result = _collect_vectors(name, policies, out, transitions, pack)
    else:
        result = _collect_atari(name, policies, out, transitions or 1_000_000, _parse_shard(shard), games, pack)
    if as_json:
        emit_json(result)
    else:
        typer.echo(" · ".join(f"{key.replace('_', ' ')}: {value}" for key, value in result.items()))


def _collect_atari(
    name: str, policies: Path, out: Path, transitions: int, shard: tuple[int, int], games: int, pack: bool
) -> dict[str, Any]:
    from lamo_core.data.collect_atari import Collector
    from lamo_core.data.mixtures import get_mixture
    from lamo_core.data.sources.pack import pack_set
    from lamo_tui.cli.output import progress

    mixture = get_mixture(name)
    collector = Collector(mixture, policies, out / "episodes", shard=shard, slots=games)
    total, episodes = 0, 0
    with progress() as report:
        for episode in collector.collect(transitions):
            total, episodes = total + len(episode.actions), episodes + 1
            report("collecting", min(total, transitions), transitions)
    result: dict[str, Any] = {"set": name, "new_episodes": episodes, "new_transitions": total}
    if pack:
        card = pack_set(mixture, out / "episodes", out, transitions)
        result.update({key: card[key] for key in _PACKED})
    return result


def _collect_vectors(name: str, policies: Path, out: Path, transitions: int, pack: bool) -> dict[str, Any]:
    from lamo_core.data.collect_vectors import collect_vectors, pack_vectors
    from lamo_core.data.vector_recipes import get_recipe
    from lamo_core.tasks.requirements import require_environment
    from lamo_tui.cli.output import progress

    recipe = get_recipe(name)
    require_environment(recipe.task)
    wanted = transitions or recipe.transitions
    kept = []
    total = 0
    with progress() as report:
        for episode in collect_vectors(recipe, recipe.player(policies), out / "episodes", transitions=transitions):
            kept.append(episode)
            total += len(episode.rewards)
            done, goal = (total, wanted) if wanted else (len(kept), recipe.episodes)
            report("collecting", min(done, goal), goal)
    if not pack:
        return {"set": name, "episodes": len(kept), "transitions": total}
    card = pack_vectors(recipe, kept, out)
    return {"set": name} | {key: card[key] for key in _PACKED}


def _parse_shard(text: str) -> tuple[int, int]:
    from lamo_core.errors import UsageError

    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise UsageError(f"--shard wants I/N with I from 0 to N - 1, such as 0/2, not {text!r}")
    return int(index), int(count)
