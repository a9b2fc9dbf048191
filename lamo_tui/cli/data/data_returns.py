"""`lamo data returns`: what return-to-go a preset's policy learns from, and what it is asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from lamo_core.errors import UsageError
from lamo_core.settings.presets import resolve
from lamo_tui.cli.parameters import AblationOption, PresetArgument, SettingOption

RETURNS_EPILOG = (
    "Examples:  lamo data returns kitchen-complete-30pct   ·   "
    "lamo data returns kitchen-complete-30pct --ablation official-kitchen-rewards --json"
)


def returns(
    preset: PresetArgument,
    ablation: AblationOption = None,
    setting: SettingOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Compare the returns that a preset asks for with its data's. Nothing is trained.

    A target that the data show only at the end of their episodes, or nowhere, says little to a policy.
    """
    config = resolve(preset, ablation or [], settings=setting or []).config
    if config.model.return_to_go == "none":
        raise UsageError(f"{preset} with these settings asks for no return; leave out what sets model.return_to_go")
    from lamo_tui.cli.data.data_returns_table import print_returns

    print_returns(preset, config, as_json=as_json)
