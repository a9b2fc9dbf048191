"""What the dashboard does to runs: pause, stop, continue, delete, start. Errors become `LamoError` sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lamo_core.engine.run_spec import RunSpec
from lamo_core.errors import UsageError
from lamo_core.runs.control import SETTINGS, CommandName, changed_config, send
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunSummary
from lamo_core.runs.queue.detach import launch
from lamo_core.runs.queue.devices import nothing_to_free
from lamo_core.runs.queue.waiting import dequeue, enqueue
from lamo_core.runs.status import RESUMABLE, has_begun
from lamo_core.runs.trash import restore_newest, trash_run
from lamo_core.wording import counted
from lamo_tui.text import called
from lamo_tui.train_process import TRAIN, wait_for_device

Action = Callable[[RunSummary], str]
"""Does something to a run and returns a sentence about it."""


def pause_or_go_on(run: RunSummary) -> str:
    """Pause a working run or let a paused one go on; returns what was asked."""
    command: CommandName = "resume" if run.state == "paused" else "pause"
    ask(run, command)
    return f"asked {called(run)} to {'go on' if command == 'resume' else 'pause'}"


def pause_and_free(run: RunSummary) -> str:
    """Pause a working run, or one that is paused already, and let it give its GPU back."""
    _require_process(run)
    if run.status.freed:
        return f"{called(run)} is paused and has given its GPU back; <*.pause> lets it go on"
    send(run.run, "pause", free=True)
    note = nothing_to_free(run.status.device)
    return f"asked {called(run)} to pause{f'; {note}' if note else ' and to free its GPU'}"


def ask(run: RunSummary, command: CommandName) -> str:
    """Send a command to a working run; raises `UsageError` when no process would hear it."""
    _require_process(run)
    if command == "stop" and dequeue(run.run):
        return f"took {called(run)} out of the queue"
    send(run.run, command)
    words = {"stop": "stop after this step and save", "checkpoint": "save a checkpoint", "eval": "evaluate"}
    return f"asked {called(run)} to {words.get(command, command)}"


def _require_process(run: RunSummary) -> None:
    if not run.derived.active:
        hint = "; press <*.resume> to continue it" if run.state in RESUMABLE else ""
        raise UsageError(f"{called(run)} is {run.state}: no process works on it{hint}")


def assignment(run: RunSummary, text: str) -> tuple[str, str]:
    """Return name and value of `name=value`; raises `UsageError` unless a run may change that while it works."""
    name, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"say name=value, such as eval.every=200, not {text!r}")
    changed_config(run.run.read_config(), name.strip(), value.strip())
    return name.strip(), value.strip()


def change(run: RunSummary, text: str) -> str:
    """Change a setting of a working run, given as `name=value`; takes effect between two steps."""
    name, value = assignment(run, text)
    if not run.derived.active:
        refuse_change(run)
    send(run.run, "set", name, value)
    return f"asked {called(run)}: {name} = {value}"


def refuse_change(run: RunSummary) -> NoReturn:
    """Raise `UsageError`: the run's settings are what it ended with."""
    raise UsageError(f"{called(run)} is {run.state}: no process works on it, so nothing can be changed")


def changeable() -> str:
    """Return the names of the settings that may change while a run works."""
    return "one of: " + ", ".join(SETTINGS)


def go_on(run: RunSummary) -> str:
    """Continue a run that ended early, in the background, from its last checkpoint."""
    if run.state == "paused":
        return pause_or_go_on(run)
    if run.state not in RESUMABLE:
        raise UsageError(f"{called(run)} is {run.state}; only stopped, failed and lost runs can be continued")
    checkpoint = run.run.last_checkpoint
    if checkpoint.is_file():
        launch(run.run, [*TRAIN, "--resume", str(checkpoint)])
        return f"{called(run)} goes on from its last checkpoint"
    if has_begun(run.run, run.status):
        raise UsageError(f"{called(run)} has saved no checkpoint; <app.new> sets up another run")
    launch(run.run, [*TRAIN, "--resume", str(run.run.path)])
    return f"{called(run)} begins: nothing was trained yet"


def delete(run: RunSummary, when: float) -> str:
    """Move a run to the trash; refused while a process works on it. Those of one moment come back together."""
    trash_run(run.run, when)
    return f"deleted {called(run)}; <runs.undelete> in the list of runs brings it back"


def undelete(root: Path) -> str:
    """Bring back what was deleted last."""
    back = restore_newest(root)
    return f"{back[0]} is back" if len(back) == 1 else f"{counted(len(back), 'run')} are back"


def start(root: Path, spec: RunSpec) -> RunDirectory:
    """Create a run and start its process, which outlives the dashboard; returns the run.

    Raises the `LamoError` that says what it lacks on this machine, and makes no run then.
    """
    _require_startable([spec])
    run = spec.create(root)
    launch(run, [*TRAIN, "--adopt", str(run.path)])
    return run


def wait_in_queue(root: Path, specs: Sequence[RunSpec]) -> list[RunDirectory]:
    """Create runs that start one after the other, whenever their device is free; refused as by `start`."""
    _require_startable(specs)
    runs = [spec.create(root) for spec in specs]
    for run in runs:
        enqueue(run)
    wait_for_device(root)
    return runs


def _require_startable(specs: Sequence[RunSpec]) -> None:
    from lamo_tui.dashboard.obstacles import require_startable  # loads what reads data sets

    for spec in specs:
        require_startable(spec)
