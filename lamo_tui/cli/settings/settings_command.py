"""`lamo settings`: the dashboard's theme, characters and keys, without the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Show the dashboard's settings: theme, characters and keys, with their defaults and the file that keeps them.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo settings   ·   lamo settings set theme lamo-light",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="theme, ascii, or the name of an action such as runs.stop.")]
Swap = Annotated[bool, typer.Option("--swap", help="Give the old key to the action that has the new one.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.callback()
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show every setting with its value and its default; * marks what differs."""
    if context.invoked_subcommand is not None:
        return
    from lamo_tui.cli.settings.settings_change import print_settings

    print_settings(as_json=as_json)


@app.command(
    "set",
    epilog="Examples:  lamo settings set theme nord   ·   lamo settings set runs.stop S,ctrl+x   ·   "
    "lamo settings set runs.stop p --swap",
)
def set_value(
    name: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A theme, true or false, or keys with commas between.")],
    swap: Swap = False,
    as_json: Json = False,
) -> None:
    """Change a setting; a dashboard takes it up when it is started."""
    from lamo_tui.cli.settings.settings_change import change_setting

    change_setting(name, value, swap=swap, as_json=as_json)


@app.command("unset", epilog="Examples:  lamo settings unset theme   ·   lamo settings unset runs.stop")
def unset(name: Name, swap: Swap = False, as_json: Json = False) -> None:
    """Go back to the default of a setting."""
    from lamo_tui.cli.settings.settings_change import reset_setting

    reset_setting(name, swap=swap, as_json=as_json)
