"""`lamo runs pack` and `lamo runs demo`: runs to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamo_core.runs.directory import find_run
from lamo_core.runs.pack import add_demo, pack_run
from lamo_core.wording import counted
from lamo_tui.cli.output import emit_json, say
from lamo_tui.cli.runs.steering import JsonOption, RunArgument


def pack(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the copy goes; made if it is missing.")],
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="Take the best checkpoint along.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy a finished run, to look at it elsewhere. Leaves out checkpoints, host name and paths."""
    packed = pack_run(find_run(run), out, checkpoint=checkpoint)
    size = sum(file.stat().st_size for file in packed.path.rglob("*") if file.is_file())
    if as_json:
        emit_json({"run": packed.id, "path": packed.path, "bytes": size})
    else:
        say(f"{packed.path}  {counted(size, 'byte')}; look at it with: lamo tui --runs {out}")


def demo(as_json: JsonOption = False) -> None:
    """Put the recorded run that ships with lamo beside yours. It has curves and replays."""
    added = add_demo()
    if as_json:
        emit_json({"run": added.id, "path": added.path})
    else:
        say(f"{added.id}; look at it with: lamo tui --attach {added.id}")
