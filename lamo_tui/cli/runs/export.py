"""`lamo export`: a policy for another runtime."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lamo_core.exchange.runner_text import RUNNER_FILE
from lamo_core.runs.manage import find_checkpoint
from lamo_tui.cli.output import emit_json, say
from lamo_tui.cli.parameters import CheckpointArgument
from lamo_tui.cli.runs.steering import JsonOption


class FormatChoice(StrEnum):
    """What runs the exported policy."""

    onnx = "onnx"
    torch = "torch"


EXPORT_EPILOG = "Examples:  lamo export last --out policy   ·   lamo export ckpt.pt --format torch --out policy"


def export(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A new folder; it holds everything.")],
    format: Annotated[
        FormatChoice,
        typer.Option("--format", metavar="onnx|torch", help="ONNX Runtime (extra onnx), or PyTorch alone."),
    ] = FormatChoice.onnx,
    as_json: JsonOption = False,
) -> None:
    """Write a policy into a folder that plays without lamo.

    The folder holds the graph with adapters merged, a runner of 30 lines and a card.
    """
    path = find_checkpoint(checkpoint)

    from lamo_core.exchange.export import export_policy

    done = export_policy(path, out, format.value)
    size = sum(file.stat().st_size for file in done.folder.iterdir())
    if as_json:
        emit_json({"folder": done.folder, "bytes": size, **done.facts})
    else:
        say(
            f"{done.folder}  {size / 1e6:.1f} MB; decisions differ by at most {done.facts['difference']:.1g}; "
            f"{RUNNER_FILE} plays it"
        )
