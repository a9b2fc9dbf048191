"""Commands to a run that works: stop, pause, resume, set, save, eval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.errors import UsageError
from lamo_core.runs.control import send
from lamo_core.runs.directory import find_run
from lamo_core.runs.manage import kill_run, wait_until_idle
from lamo_core.runs.queue.devices import nothing_to_free
from lamo_core.runs.queue.waiting import dequeue
from lamo_core.runs.status import RESUMABLE, has_begun, read_state, read_status
from lamo_tui.cli import completion
from lamo_tui.cli.output import console, emit_json
from lamo_tui.cli.parameters import finite

if TYPE_CHECKING:
    from lamo_core.runs.control import CommandName
    from lamo_core.runs.directory import RunDirectory

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="An id, its beginning, a part of it, a path, or `last`.", autocompletion=completion.runs
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
STOP_EPILOG = "Examples:  lamo stop last   ·   lamo stop 20261121-0144 --wait 60"
PAUSE_EPILOG = "Examples:  lamo pause last --free   ·   lamo pause 20261121-0144 --json"
RESUME_EPILOG = "Examples:  lamo resume last   ·   lamo resume 20261121-0144 --json"


def change_setting(
    run: RunArgument,
    assignments: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="Settings to change.")],
    as_json: JsonOption = False,
) -> None:
    """Change a setting of a running run. Only those that do not make it another run."""
    found = _steerable(run)
    commands = []
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise UsageError(f"say NAME=VALUE, such as eval.every=200, not {assignment!r}")
        commands.append(send(found, "set", name.strip(), value.strip()))
    if as_json:
        emit_json({"run": found.id, "commands": commands})
    else:
        console().print(f"asked {found.id}: set {' '.join(assignments)}", markup=False)


def save(run: RunArgument, as_json: JsonOption = False) -> None:
    """Ask a run for a checkpoint after the step under way."""
    _send(_steerable(run), "checkpoint", as_json)


def evaluate(run: RunArgument, as_json: JsonOption = False) -> None:
    """Ask a run for an evaluation after the step under way."""
    _send(_steerable(run), "eval", as_json)


def stop(
    run: RunArgument,
    wait: Annotated[
        float, typer.Option("--wait", min=0, callback=finite, help="Wait this many seconds for its end.")
    ] = 0,
    kill: Annotated[bool, typer.Option("--kill", help="End the process at once, without a checkpoint.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop a run after the step under way; it saves a checkpoint and can be continued exactly.

    A run that waits in the queue is taken out of it.
    """
    found = find_run(run)
    waited = dequeue(found)
    _, derived = read_state(found)
    if kill and not waited:
        kill_run(found)
        derived = wait_until_idle(found, 10)
    elif derived.active:
        send(found, "stop")
        derived = wait_until_idle(found, wait) if wait else derived
    if as_json:
        emit_json({"run": found.id, "command": "kill" if kill else "stop", "state": derived.state})
    elif derived.active:
        console().print(f"{found.id} stops after the step under way and saves a checkpoint", markup=False)
    else:
        console().print(f"{found.id} is {derived.state}{_way_on(found, derived.state)}", markup=False)


def pause(
    run: RunArgument,
    free: Annotated[
        bool,
        typer.Option("--free", help="Move what it holds on the GPU to the machine's memory, also when it is paused."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pause a run after the step under way; `lamo resume` lets it go on.

    With --free others can use its GPU meanwhile, and the queue starts the next run there. It goes on bit for bit as
    if it had never paused; where others have left too little room by then, it says so and stays paused.
    """
    found, words = _steerable(run), "pause"
    if free:
        note = nothing_to_free(read_status(found).device)
        words = f"pause; {note}" if note else "pause and free its GPU"
    _send(found, "pause", as_json, free=free, words=words)


def resume(run: RunArgument, as_json: JsonOption = False) -> None:
    """Let a paused run go on. A run that was stopped continues with `lamo train --resume RUN`."""
    _send(_steerable(run), "resume", as_json)


def _steerable(text: str) -> RunDirectory:
    """Return the run; raises `UsageError` when no process works on it."""
    run = find_run(text)
    _, derived = read_state(run)
    if not derived.active:
        way_on = _way_on(run, derived.state)
        raise UsageError(f"run {run.id} is {derived.state}: no process works on it{way_on}")
    return run


def _way_on(run: RunDirectory, state: str) -> str:
    """Return how a run that no process works on is continued; empty when it is finished."""
    if state not in RESUMABLE:
        return ""
    if not run.last_checkpoint.is_file() and has_begun(run, read_status(run)):
        return "; it has no checkpoint, so start it again with: lamo train --preset NAME"
    return f"; continue it with: lamo train --resume {run.id}"


def _send(run: RunDirectory, name: CommandName, as_json: bool, *, free: bool = False, words: str = "") -> None:
    command = send(run, name, free=free)
    if as_json:
        emit_json({"run": run.id, "commands": [command]})
    else:
        console().print(f"asked {run.id}: {words or name}", markup=False)
