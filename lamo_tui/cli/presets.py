"""`lamo presets`: list presets and show what they resolve to, with the origin of each value."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lamo_core.config import RunConfig, field_names
from lamo_core.settings.field_docs import field_docs
from lamo_core.settings.presets import load_preset, preset_names, resolve
from lamo_core.settings.schema import preset_schema
from lamo_tui.cli.output import say
from lamo_tui.cli.parameters import AblationOption, MethodOption, PresetArgument, SettingOption

app = typer.Typer(
    help="List presets and show what they resolve to; TASK-NNpct is one with any share of the task's data.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo presets   ·   lamo presets show atari-breakout-1pct --method dt --ablation frozen",
)


@app.callback()
def list_presets(
    context: typer.Context,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print a JSON schema of presets, for editors of TOML.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """List every preset, every method and every ablation."""
    if context.invoked_subcommand is not None:
        return
    if schema:
        say(json.dumps(preset_schema(), indent=1, allow_nan=False))
        return

    kinds = {"presets": "", "methods": "methods", "ablations": "ablations"}
    rows = {
        kind: [{"name": name, "description": load_preset(name, folder).description} for name in preset_names(folder)]
        for kind, folder in kinds.items()
    }
    if as_json:
        say(json.dumps(rows))
        return
    width = max(len(row["name"]) for several in rows.values() for row in several) + 2
    for kind in kinds:
        say(kind)
        for row in rows[kind]:
            say(f"  {row['name']:<{width}}{row['description']}")


@app.command(
    "show", epilog="Examples:  lamo presets show paper-atari-pong   ·   lamo presets show mujoco-hopper-1pct -m iql"
)
def show(
    name: PresetArgument,
    method: MethodOption = None,
    ablation: AblationOption = None,
    setting: SettingOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Print the merged config of a preset with the origin of each value."""
    resolved = resolve(name, ablation or [], None, setting or [], method=method)
    values, docs = resolved.config.to_dict(), field_docs(RunConfig)
    if as_json:
        say(json.dumps({"config": values, "origins": dict(resolved.origins), "docs": docs}))
        return
    for key in field_names():
        value: object = values
        for part in key.split("."):
            value = value[part]  # type: ignore[index]
        say(f"{key:<38} {json.dumps(value):<24} {resolved.origins[key]:<30} {docs.get(key, '')}".rstrip())
