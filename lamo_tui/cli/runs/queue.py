"""`lamo queue`: what waits for a device, and the process that starts it."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from lamo_core.places import runs_dir
from lamo_core.runs.index import list_runs
from lamo_core.runs.queue.entry import QUEUE
from lamo_core.runs.queue.runner import ensure_runner, runner_process
from lamo_core.runs.queue.waiting import dequeue
from lamo_tui.cli.output import console, emit_json, emit_table
from lamo_tui.cli.runs.steering import JsonOption
from lamo_tui.format import counted, duration
from lamo_tui.train_process import TRAIN

app = typer.Typer(
    help="Show the runs that wait for a device. `lamo train … --queue` puts one in, `lamo stop RUN` takes one out.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo queue   ·   lamo train --preset atari-pong-1pct --seeds 0-4",
)


@app.callback()
def list_queue(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the runs that wait for a device. `lamo train … --queue` puts one in, `lamo stop RUN` takes one out."""
    if context.invoked_subcommand is not None:
        return

    waiting = [(run, run.queue, run.position) for run in list_runs() if run.queue is not None]
    waiting.sort(key=lambda item: (item[1].device, item[2] or 0))
    runner = runner_process(runs_dir())
    if as_json:
        rows = [
            {"run": run.id, "device": entry.device, "position": place, "owner": entry.owner, "entered": entry.entered}
            for run, entry, place in waiting
        ]
        emit_json({"folder": runs_dir().absolute(), "runner": runner, "waiting": rows})
        return
    if not waiting:
        console().print("nothing waits; put a run in with: lamo train --preset NAME --queue")
        return
    now = time.time()
    emit_table(
        ["device", "place", "run", "waits"],
        [[entry.device, place, run.id, duration(now - entry.entered)] for run, entry, place in waiting],
        right=["place", "waits"],
    )
    if runner is None:
        console().print("no process serves the queue; start one with: lamo queue start")


@app.command("start", epilog="Examples:  lamo queue start   ·   lamo queue start --slots 2")
def start(
    slots: Annotated[int, typer.Option(min=1, max=64, help="Runs per device at once.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Serve the queue again after a restart of the machine. The process ends when nothing waits."""
    pid = ensure_runner(runs_dir(), TRAIN, slots)
    if as_json:
        emit_json({"folder": runs_dir().absolute(), "runner": pid})
    else:
        console().print(f"process {pid} serves the queue of {runs_dir()}", markup=False)


@app.command("clear", epilog="Examples:  lamo queue clear   ·   lamo queue clear --json")
def clear(as_json: JsonOption = False) -> None:
    """Take all waiting runs out of the queue. Their folders stay; `lamo runs rm` deletes them."""
    taken = [run.id for run in list_runs() if run.queue and run.queue.owner == QUEUE and dequeue(run.run)]
    if as_json:
        emit_json({"removed": taken})
    else:
        console().print(f"took {counted(len(taken), 'run')} out of the queue")
