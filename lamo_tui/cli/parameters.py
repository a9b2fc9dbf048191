"""Options and arguments that several commands take: the same name, meaning and completion everywhere."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from lamo_tui.cli import completion


def finite(value: float | None) -> float | None:
    """Return the number of an option; NaN and infinities, which are in every range to the parser, are refused."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number")
    return value


PresetArgument = Annotated[
    str, typer.Argument(metavar="PRESET", help="A preset of `lamo presets`.", autocompletion=completion.presets)
]
MethodOption = Annotated[
    str | None,
    typer.Option(
        "--method", "-m", help="lamo, dt, cql and others; see `lamo presets`.", autocompletion=completion.methods
    ),
]
AblationOption = Annotated[
    list[str] | None,
    typer.Option("--ablation", "-a", help="Overlay an ablation; may be repeated.", autocompletion=completion.ablations),
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override one value, such as optim.steps=100; may be repeated.",
        autocompletion=completion.settings,
    ),
]
CheckpointArgument = Annotated[
    str,
    typer.Argument(
        metavar="CKPT",
        help="A checkpoint file, a run of `lamo runs`, `last`, or OWNER/NAME on the hub.",
        autocompletion=completion.checkpoints,
    ),
]
SetArgument = Annotated[
    str, typer.Argument(metavar="SET", help="A set of `lamo data list`.", autocompletion=completion.sets)
]
