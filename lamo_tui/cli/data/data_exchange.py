"""`lamo data import` and `lamo data export`: sets from files and folders, and into other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamo_core.config import unknown_key
from lamo_core.shares import parse_share
from lamo_tui.cli.parameters import SetArgument

IMPORT_EPILOG = (
    "Examples:  lamo data import hopper_medium-v2.hdf5   ·   "
    "lamo data import mine.lamovec --name mine && lamo train --preset mujoco-hopper-10pct --set data.set=mine"
)
EXPORT_EPILOG = (
    "Examples:  lamo data export hopper-medium --format minari --out exported   ·   "
    "lamo data export breakout-medium --format minari --out exported --ratio 1%"
)
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def import_set(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .lamovec or .lamolog, an HDF5 file of D4RL's kind, or the folder of a Minari data set.",
            metavar="FILE",
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the set; without it the file's own.")] = "",
    task: Annotated[str, typer.Option(help="Task of a file that does not say it, such as mujoco-hopper.")] = "",
    older_layout: Annotated[
        bool, typer.Option("--older-layout", help="Read a Minari folder of before Minari 0.5, without metadata.json.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Check a file and keep it in the data folder. Train on it with --set data.set=NAME.

    Actions are taken in the environment's own bounds and numbering, and structured observations are made flat.
    """
    from lamo_tui.cli.data.data_convert import import_file

    import_file(file, name, task, older_layout=older_layout, as_json=as_json)


def export(
    name: SetArgument,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder that the set is written into.")],
    form: Annotated[str, typer.Option("--format", help="minari, the only one so far.")] = "minari",
    ratio: Annotated[str, typer.Option(help="Share of the episodes, such as 1% or 0.01.")] = "100%",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Decides which episodes.")] = 0,
    source: Annotated[str | None, typer.Option(help="Source of the set, where a name is not enough.")] = None,
    as_json: _Json = False,
) -> None:
    """Write a set in the form of another library. Pictures stay exactly as they are.

    Minari reads it with MINARI_DATASETS_PATH set to the folder of --out.
    """
    share = parse_share(ratio)
    if form != "minari":
        raise unknown_key(form, ["minari"], "format")
    from lamo_tui.cli.data.data_convert import export_set

    export_set(name, source, out, share, seed, as_json=as_json)
