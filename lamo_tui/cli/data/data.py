"""`lamo data`: the data sets on this machine: list, describe, check, delete; and the commands that bring more."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.data.checks.recovery import recovery_advice
from lamo_core.errors import DamagedDataError, LamoError, UnsupportedDataError, UsageError
from lamo_core.wording import counted
from lamo_tui.cli.data.collect import COLLECT_EPILOG, collect
from lamo_tui.cli.data.data_card import card_lines
from lamo_tui.cli.data.data_exchange import EXPORT_EPILOG, IMPORT_EPILOG, export, import_set
from lamo_tui.cli.data.data_get import GET_EPILOG, get
from lamo_tui.cli.data.data_returns import RETURNS_EPILOG, returns
from lamo_tui.cli.output import console, emit_json, emit_table, say
from lamo_tui.cli.parameters import SetArgument
from lamo_tui.cli.progress import progress
from lamo_tui.format import file_size

if TYPE_CHECKING:
    from lamo_core.data.sources.resolve import AnySet

app = typer.Typer(
    help="List, describe, fetch, check, exchange and collect data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo data list   ·   lamo data show breakout-medium",
)

_Source = Annotated[
    str | None, typer.Option(help="bundled, d4rl, rl-unplugged, dqn-replay or minari, where a name is not enough.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command("list", epilog="Examples:  lamo data list   ·   lamo data list --json")
def list_sets(as_json: _Json = False) -> None:
    """List data sets, their sizes, and how much of them is unpacked."""
    from lamo_core.data.sources.manage import all_sets, size_on_disk, unfinished_downloads

    rows = [_row(found) for found in all_sets()]
    waiting = {name: sum(map(size_on_disk, paths)) for name, paths in unfinished_downloads().items()}
    if as_json:
        emit_json({"sets": rows, "unfinished": waiting})
        return
    columns = ("set", "source", "task", "episodes", "transitions", "mean return", "log", "unpacked")
    emit_table(columns, [_cells(row) for row in rows], right=columns[3:7], optional=("log", "source", "task"))
    for name, size in waiting.items():
        console().print(
            f"{name}: {file_size(size)} fetched so far; `lamo data get {name}` goes on, `lamo data rm {name}` deletes",
            markup=False,
        )


def _row(found: AnySet) -> dict[str, Any]:
    from lamo_core.data.sources.manage import set_status

    try:
        return asdict(set_status(found))
    except LamoError as error:  # one damaged set must not hide the others
        damaged = not isinstance(error, UnsupportedDataError)
        return {"name": found.name, "source": found.source, "error": str(error), "damaged": damaged}


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    if "error" in row:
        state = "damaged" if row["damaged"] else "not readable"
        return (row["name"], row["source"], None, None, None, None, None, f"{state}: see `lamo data verify`")
    unpacked = f"{counted(row['cached_episodes'], 'episode')}, {file_size(row['cached_bytes'])}"
    return (
        row["name"],
        row["source"],
        row["task"] or None,
        f"{row['episodes']:,}",
        f"{row['transitions']:,}",
        f"{row['mean_return']:,.1f}",
        file_size(row["log_bytes"]),
        unpacked if row["needs_unpacking"] else "ready",
    )


@app.command("show", epilog="Examples:  lamo data show breakout-medium   ·   lamo data show pong-medium --json")
def show(name: SetArgument, source: _Source = None, as_json: _Json = False) -> None:
    """Print the card of a set. How it was made, by what, its returns and lengths, its licence, and what is odd."""
    from lamo_core.data.checks.plausibility import set_warnings
    from lamo_core.data.sources.resolve import find_anywhere

    found = find_anywhere(name, source)
    card, warnings = found.card(), set_warnings(found)
    if as_json:
        emit_json({**card, "warnings": warnings})
        return

    try:
        lines = [*card_lines(card), *(f"warning   {warning}" for warning in warnings)]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DamagedDataError(f"the card of {name} is damaged", recovery_advice(found.path)) from error
    for line in lines:
        say(line)


app.command("get", epilog=GET_EPILOG)(get)
app.command("import", epilog=IMPORT_EPILOG)(import_set)
app.command("export", epilog=EXPORT_EPILOG)(export)
app.command("collect", epilog=COLLECT_EPILOG)(collect)
app.command("returns", epilog=RETURNS_EPILOG)(returns)


@app.command(
    "verify",
    epilog="Examples:  lamo data verify breakout-medium   ·   lamo data verify pong-medium --replay 5",
)
def verify(
    name: SetArgument,
    replay: Annotated[int, typer.Option(min=0, help="Also replay that many episodes and compare frames.")] = 0,
    source: _Source = None,
    as_json: _Json = False,
) -> None:
    """Check a set's file and its frames. Damaged frames that can be made again are deleted."""
    from lamo_core.data.sources.manage import verify_set
    from lamo_core.data.sources.resolve import find_anywhere

    with progress() as report:
        result = verify_set(find_anywhere(name, source), replay, report)
    if as_json:
        emit_json(asdict(result))
        return
    say(f"{name}: the file is whole (SHA-256 {result.log_sha256})")
    if result.cached_checked:
        say(f"unpacked episodes checked: {result.cached_checked:,}, damaged and deleted: {len(result.removed):,}")
    if result.replayed:
        say(f"episodes replayed, all frames and rewards equal: {result.replayed}")


@app.command("rm", epilog="Examples:  lamo data rm breakout-medium   ·   lamo data rm hopper-medium-v2 --json")
def remove(name: SetArgument, source: _Source = None, as_json: _Json = False) -> None:
    """Delete a set. Of one that ships, only the unpacked frames, which can be made again.

    Deletes also what an interrupted `lamo data get` has fetched.
    """
    from lamo_core.data.sources.manage import remove_set, remove_unfinished
    from lamo_core.data.sources.resolve import find_anywhere

    freed = remove_unfinished(name)
    try:
        freed += remove_set(find_anywhere(name, source))
    except UsageError:  # there is no whole set of that name
        if not freed:
            raise
    if as_json:
        emit_json({"set": name, "freed_bytes": freed})
    elif freed:
        say(f"{name}: {file_size(freed)} freed")
    else:
        say(f"{name}: nothing to delete; what ships with lamo stays")
