"""`lamo data`: the bundled data sets: list, describe, unpack, check, delete, and collect anew."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="List, describe, unpack, check and collect data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo data list   ·   lamo data show breakout-medium",
)

_Name = Annotated[str, typer.Argument(help="A set of `lamo data list`.", metavar="SET")]
_PACKED = ("episodes", "transitions", "log_bytes", "log_sha256")
"""What a card says about the packed set."""
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command("list", epilog="Examples:  lamo data list   ·   lamo data list --json")
def list_sets(as_json: _Json = False) -> None:
    """List the data sets, their size, and how much of them is unpacked."""
    from lamo_core.data.sources.bundled import all_set_names
    from lamo_core.data.sources.upkeep import set_status
    from lamo_tui.cli.output import emit_json, emit_table

    rows = [set_status(name) for name in all_set_names()]
    if as_json:
        emit_json({"sets": [asdict(row) for row in rows]})
        return
    columns = ("set", "task", "episodes", "transitions", "mean return", "log", "unpacked")
    cells = [
        (
            row.name,
            row.task,
            f"{row.episodes:,}",
            f"{row.transitions:,}",
            f"{row.mean_return:.1f}",
            _size(row.log_bytes),
            f"{row.cached_episodes:,} episodes, {_size(row.cached_bytes)}" if row.needs_unpacking else "ready",
        )
        for row in rows
    ]
    emit_table(columns, cells, right=columns[2:6])


@app.command("show", epilog="Examples:  lamo data show breakout-medium   ·   lamo data show pong-medium --json")
def show(name: _Name, as_json: _Json = False) -> None:
    """Print the card of a set: how it was collected, by what, its returns and lengths, its licence."""
    from lamo_core.data.sources.bundled import read_card
    from lamo_tui.cli.output import emit_json

    card = read_card(name)
    if as_json:
        emit_json(card)
        return
    from lamo_tui.cli.data_card import card_lines

    for line in card_lines(card):
        typer.echo(line)


@app.command("get", epilog="Examples:  lamo data get breakout-medium --ratio 0.01   ·   lamo data get qbert-medium")
def get(
    name: _Name,
    ratio: Annotated[float, typer.Option(help="Share of the episodes, above 0 and at most 1.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Decides which episodes; the seed of the runs that use them.")] = 0,
    as_json: _Json = False,
) -> None:
    """Unpack the episodes that a ratio selects into the cache; goes on where it was stopped."""
    from lamo_core.data.ratio import select_episodes
    from lamo_core.data.sources.bundled import fetch_episodes, lengths_and_returns, open_log, set_path
    from lamo_core.data.sources.bundled_vectors import vector_set_names
    from lamo_tui.cli.output import emit_json, progress

    lengths, _ = lengths_and_returns(name)
    episodes = select_episodes(lengths, ratio, seed)
    if name in vector_set_names():
        packed = set_path(name).stat().st_size
    else:
        with progress() as report:
            packed = sum(len(file.content) for file in fetch_episodes(open_log(name), episodes, report))
    transitions = int(lengths[episodes].sum())
    if as_json:
        emit_json({"set": name, "episodes": len(episodes), "transitions": transitions, "bytes": packed})
    else:
        typer.echo(f"{name}: {len(episodes):,} episodes with {transitions:,} transitions are ready ({_size(packed)})")


@app.command(
    "verify",
    epilog="Examples:  lamo data verify breakout-medium   ·   lamo data verify pong-medium --replay 5",
)
def verify(
    name: _Name,
    replay: Annotated[int, typer.Option(min=0, help="Also replay that many episodes and compare frames.")] = 0,
    as_json: _Json = False,
) -> None:
    """Check a set's log and its unpacked frames; damaged frames are deleted and made again when needed."""
    from lamo_core.data.sources.upkeep import verify_set
    from lamo_tui.cli.output import emit_json, progress

    with progress() as report:
        result = verify_set(name, replay, report)
    if as_json:
        emit_json(asdict(result))
        return
    typer.echo(f"{name}: the log is whole (SHA-256 {result.log_sha256})")
    typer.echo(f"unpacked episodes checked: {result.cached_checked}, damaged and deleted: {len(result.removed)}")
    if result.replayed:
        typer.echo(f"episodes replayed, all frames and rewards equal: {result.replayed}")


@app.command("rm", epilog="Examples:  lamo data rm breakout-medium   ·   lamo data rm qbert-medium --json")
def remove(name: _Name, as_json: _Json = False) -> None:
    """Delete the unpacked frames of a set; its action log stays, so they can be made again."""
    from lamo_core.data.sources.bundled import set_path
    from lamo_core.data.sources.upkeep import remove_cache
    from lamo_tui.cli.output import emit_json

    set_path(name)
    freed = remove_cache(name)
    if as_json:
        emit_json({"set": name, "freed_bytes": freed})
    else:
        typer.echo(f"{name}: {_size(freed)} freed")


@app.command(
    "collect",
    epilog="Examples:  lamo data collect breakout-medium --policies weights --out collected   ·   "
    "lamo data collect kitchen-complete --out collected",
)
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


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"
