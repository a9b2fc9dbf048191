"""`lamo data import` and `lamo data export`: sets from files and folders, and into other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lamo_core.config import unknown_key
from lamo_core.data.store.local import require_received
from lamo_core.shares import parse_share
from lamo_tui.cli.output import emit_json, note, say
from lamo_tui.cli.parameters import SetArgument
from lamo_tui.cli.progress import progress
from lamo_tui.format import counted, file_size

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
    from lamo_core.data.checks.plausibility import set_warnings
    from lamo_core.data.sources.import_set import import_set as import_checked

    with progress() as report:
        card = import_checked(file, name, task, report, older_layout=older_layout)
    warnings = set_warnings(require_received("imported", card["name"]))
    result: dict[str, Any] = {"set": card["name"], "task": card["task"]}
    result |= {key: card[key] for key in ("episodes", "transitions", "log_sha256")} | {"warnings": warnings}
    if as_json:
        emit_json(result)
    else:
        counts = f"{counted(card['episodes'], 'episode')} with {counted(card['transitions'], 'transition')}"
        task, naming = (f" for {card['task']}", "") if card["task"] else ("", " --set task.name=TASK")
        say(f"{card['name']}: {counts}{task}; train on it with --set data.set={card['name']}{naming}")
        for remark in [*card["notes"], *(f"warning: {warning}" for warning in warnings)]:
            note(remark)


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
    from lamo_core.data.sources.minari_export import export_minari
    from lamo_core.data.sources.resolve import find_anywhere

    share = parse_share(ratio)
    if form != "minari":
        raise unknown_key(form, ["minari"], "format")
    with progress() as report:
        result = export_minari(find_anywhere(name, source), out, share, seed, report)
    if as_json:
        emit_json(result)
    else:
        counts = f"{counted(result['episodes'], 'episode')} with {counted(result['transitions'], 'transition')}"
        say(f"{result['path']}: {counts} ({file_size(result['bytes'])}); Minari's id is {result['id']}")
