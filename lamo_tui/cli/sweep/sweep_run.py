"""What `lamo sweep` does: plan a grid of runs, show the plan, and work it off here or in the background."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import Any

import typer

from lamo_core.errors import STOPPED_RESUMABLE, UsageError
from lamo_core.runs.control import Interrupts
from lamo_core.runs.index import list_runs
from lamo_core.runs.queue.detach import reap
from lamo_core.runs.signals import catch_signals
from lamo_core.sweep.engines import Engine, Slot
from lamo_core.sweep.folder import SweepFolder, find_sweep, new_folder
from lamo_core.sweep.plan import Plan, extended, make_plan, read_plan, rewrite_plan, write_plan
from lamo_core.sweep.scheduler import Scheduler, look
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.progress import progress
from lamo_tui.cli.sweep.sweep_engine import EngineOptions
from lamo_tui.cli.sweep.sweep_grid import GridOptions
from lamo_tui.cli.sweep.sweep_plan import plan_json, print_plan
from lamo_tui.cli.sweep.sweep_status import counted_views, print_views, views_json
from lamo_tui.format import counted

_POLL_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 5.0


def run_sweep(
    wanted: GridOptions,
    given: set[str],
    options: EngineOptions,
    *,
    name: str | None,
    resume: str | None,
    dry_run: bool,
    yes: bool,
    fresh: bool,
    detach: bool,
    as_json: bool,
    background: bool,
) -> int:
    """Plan a sweep, or go on with one, and work it off; `given` are the grid's options that were typed.

    Returns the exit code: 0 all done, 1 something failed, 75 stopped. Raises `UsageError`.
    """
    if resume is not None:
        folder = find_sweep(resume)
        plan = read_plan(folder)
        if given:
            plan = extended(plan, wanted.wider(plan.grid, given), list_runs(), reuse=not fresh)
    else:
        grid = wanted.grid()
        folder = new_folder(name, [task for task, _ in grid.tasks])
        plan = make_plan(folder.name, grid, list_runs(), reuse=not fresh)
    slots = options.slots(plan)
    if not background and (resume is None or given or dry_run):
        _show(plan, folder, slots, as_json=as_json, dry_run=dry_run)
    if dry_run:
        return 0
    if resume is None or given:
        _confirm(plan, yes, as_json)
        (write_plan if resume is None else _rewrite)(folder, plan)
    if detach:
        _detach(folder, options, as_json)
        return 0
    made = options.make(folder, plan, slots)
    return _work(folder, plan, made, as_json=as_json, background=background)


def _show(plan: Plan, folder: SweepFolder, slots: list[Slot], *, as_json: bool, dry_run: bool) -> None:
    root = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    if not as_json:
        print_plan(plan, slots, shutil.disk_usage(root).free)
    elif dry_run:
        totals = {"seconds": plan.seconds, "unknown": plan.unknown, "disk": plan.disk}
        emit_json({"plan": plan_json(plan), "totals": totals, "jobs": len(slots), "slots": slots})


def _confirm(plan: Plan, yes: bool, as_json: bool) -> None:
    if yes or not plan.open:
        return
    if as_json or not sys.stdin.isatty():
        raise UsageError("a sweep asks before it starts; add --yes where nobody can answer, or --dry-run to only look")

    typer.confirm(f"start {counted(len(plan.open), 'run')}?", abort=True, err=True)


def _rewrite(folder: SweepFolder, plan: Plan) -> None:
    """Put a wider plan in the place of the one before; raises `UsageError` while a process works on the sweep."""
    folder.claim()
    try:
        rewrite_plan(folder, plan)
    finally:
        folder.release()


def _detach(folder: SweepFolder, options: EngineOptions, as_json: bool) -> None:
    """Start the same command as a process of its own session."""
    command = [sys.executable, "-m", "lamo_tui.cli.app", "sweep", "--resume", folder.name, "--background"]
    with folder.log_file.open("ab") as log:
        process = subprocess.Popen(
            [*command, *options.words()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    reap(process)
    if as_json:
        emit_json({"sweep": folder.name, "path": folder.path, "pid": process.pid})
    else:
        say(folder.name)
        console().print(f"watch it with: lamo sweep status {folder.name}", markup=False)


def _work(folder: SweepFolder, plan: Plan, engine: Engine, *, as_json: bool, background: bool) -> int:
    """Work off the plan and return the exit code: 0 all done, 1 something failed, 75 stopped."""
    folder.claim()
    interrupts, narration = Interrupts(), console()

    def announce(signal_name: str) -> None:
        narration.print(f"{signal_name}: asking the runs to save and stop; once more leaves at once")

    try:
        scheduler = Scheduler(folder, plan, engine, argv=sys.argv)
        with (
            progress() as report,
            catch_signals(interrupts, announce=announce, leave=folder.release, detached=background),
        ):
            _loop(scheduler, interrupts, report)
    finally:
        folder.release()
        engine.close()
    views = look(folder, plan)
    states = {view.state for view in views}
    code = STOPPED_RESUMABLE if states & {"waiting", "working", "stopped"} else int("failed" in states)
    if as_json:
        emit_json({"sweep": folder.name, "path": folder.path, "exit_code": code, "runs": views_json(views)})
    else:
        print_views(views)
        way = "sweep --resume" if code == STOPPED_RESUMABLE else "report --sweep"
        narration.print(f"{counted_views(views)}; next: lamo {way} {folder.name}", markup=False)
    return code


def _loop(scheduler: Scheduler, interrupts: Any, report: Any) -> None:
    asked = -float("inf")
    while True:
        scheduler.step()
        counts = scheduler.counts
        total = sum(counts.values())
        done = counts.get("done", 0)
        working = f": {', '.join(scheduler.working[:3])}" if scheduler.working else ""
        report(f"{counts['working']} working{working}; done", done, total)
        if interrupts.stop is not None and time.monotonic() - asked > _ASK_AGAIN_SECONDS:
            asked = time.monotonic()
            scheduler.stop()
        if scheduler.over:
            return
        time.sleep(_POLL_SECONDS)
