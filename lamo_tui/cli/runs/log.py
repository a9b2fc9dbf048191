"""`lamo runs log`: the log of a run, and what is written to it from now on."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.errors import UsageError
from lamo_core.runs.directory import find_run
from lamo_core.runs.status import read_state
from lamo_core.untrusted.regular_file import open_regular
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.runs.steering import JsonOption, RunArgument

if TYPE_CHECKING:
    from lamo_core.runs.directory import RunDirectory

LOG_EPILOG = "Examples:  lamo runs log last   ·   lamo runs log last --follow   ·   lamo runs log k3f9 --lines 100"
_POLL_SECONDS = 0.5
_LONGEST = 1 << 16
"""Characters that are shown as one line; what is longer becomes several."""


def log(
    run: RunArgument,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, metavar="N", help="Lines from the end; 0 is all.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written until the run ends; Ctrl-C leaves it be.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the end of a run's log, and with --follow what comes."""
    if follow and as_json:
        raise UsageError("--json prints one object, so it cannot follow; take one of the two")
    found = find_run(run)
    with _opened(found) as file:
        newest = [line.rstrip("\n") for line in deque(iter(partial(file.readline, _LONGEST), ""), lines or None)]
        if as_json:
            emit_json({"run": found.id, "file": found.log_file, "lines": newest})
            return
        for line in newest:
            say(line)
        if not newest:
            console().print(f"the log of {found.id} is empty so far", markup=False)
        for line in _written(found, file) if follow else ():
            say(line)


def _opened(run: RunDirectory) -> io.TextIOBase:
    """Return the log, open at its beginning; an empty text before a run has written one."""
    try:
        return io.TextIOWrapper(open_regular(run.log_file), encoding="utf-8", errors="replace", newline="\n")
    except FileNotFoundError:
        return io.StringIO()


def _written(run: RunDirectory, file: io.TextIOBase) -> Iterator[str]:
    """Yield the lines that are written to a log until no process works on its run and none waits to."""
    begun = ""
    while True:
        # the state first: what a run writes before it ends is read then
        _, derived = read_state(run)
        if isinstance(file, io.StringIO):
            file = _opened(run)
        while text := file.readline(_LONGEST):
            begun += text
            if begun.endswith("\n"):
                yield begun.rstrip("\n")
                begun = ""
        if not derived.active:
            return
        time.sleep(_POLL_SECONDS)
