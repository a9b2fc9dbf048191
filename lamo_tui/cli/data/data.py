"""`lamo data`: the data sets on this machine: list, describe, check, delete; and the commands that bring more."""

from __future__ import annotations

from typing import Annotated

import typer

from lamo_tui.cli.data.collect import COLLECT_EPILOG, collect
from lamo_tui.cli.data.data_exchange import EXPORT_EPILOG, IMPORT_EPILOG, export, import_set
from lamo_tui.cli.data.data_get import GET_EPILOG, get
from lamo_tui.cli.data.data_returns import RETURNS_EPILOG, returns
from lamo_tui.cli.parameters import SetArgument

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
    from lamo_tui.cli.data.data_sets import print_sets

    print_sets(as_json=as_json)


@app.command("show", epilog="Examples:  lamo data show breakout-medium   ·   lamo data show pong-medium --json")
def show(name: SetArgument, source: _Source = None, as_json: _Json = False) -> None:
    """Print the card of a set. How it was made, by what, its returns and lengths, its licence, and what is odd."""
    from lamo_tui.cli.data.data_sets import print_card

    print_card(name, source, as_json=as_json)


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
    from lamo_tui.cli.data.data_sets import verify_one

    verify_one(name, source, replay, as_json=as_json)


@app.command("rm", epilog="Examples:  lamo data rm breakout-medium   ·   lamo data rm hopper-medium-v2 --json")
def remove(name: SetArgument, source: _Source = None, as_json: _Json = False) -> None:
    """Delete a set. Of one that ships, only the unpacked frames, which can be made again.

    Deletes also what an interrupted `lamo data get` has fetched.
    """
    from lamo_tui.cli.data.data_sets import remove_one

    remove_one(name, source, as_json=as_json)
