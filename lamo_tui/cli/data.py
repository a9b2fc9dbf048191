"""`lamo data`: the bundled data sets: list, describe, unpack, check, delete, and collect anew."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lamo_tui.cli.collect import COLLECT_EPILOG, collect

app = typer.Typer(
    help="List, describe, unpack, check and collect data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo data list   ·   lamo data show breakout-medium",
)

_Name = Annotated[str, typer.Argument(help="A set of `lamo data list`.", metavar="SET")]
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


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


app.command("collect", epilog=COLLECT_EPILOG)(collect)
