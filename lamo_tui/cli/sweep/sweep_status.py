"""How sweeps are doing, printed; and the end of one that a process works on."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lamo_core.errors import UsageError
from lamo_core.places import runs_dir
from lamo_core.runs.index import list_runs
from lamo_core.sweep.folder import find_sweep, sweep_names
from lamo_core.sweep.plan import read_plan, seconds_left
from lamo_core.sweep.scheduler import ITEM_STATES, ItemView, look
from lamo_tui.cli.output import console, emit_json, emit_table
from lamo_tui.format import counted, duration


def print_sweeps(*, as_json: bool) -> None:
    """Print one line per sweep."""
    found = [find_sweep(known) for known in sweep_names()]
    rows = [(folder, look(folder, read_plan(folder)), folder.worker()) for folder in found]
    if as_json:
        sweeps = [{"sweep": folder.name, "worker": worker, "runs": views_json(views)} for folder, views, worker in rows]
        emit_json({"folder": runs_dir().absolute(), "sweeps": sweeps})
    elif rows:
        emit_table(
            ["sweep", "runs", "process"], [[folder.name, counted_views(views), pid] for folder, views, pid in rows]
        )
    else:
        console().print("there are no sweeps; plan one with: lamo sweep --tasks breakout --ratios 1% --dry-run")


def stop_sweep(name: str, *, as_json: bool) -> None:
    """Ask the process that works on a sweep to stop; raises `UsageError` where none of this machine does."""
    folder = find_sweep(name)
    worker = folder.worker()
    if worker is None:
        raise UsageError(f"no process of this machine works on sweep {folder.name}; stop its runs with: lamo stop RUN")
    if not folder.is_held_by(worker):
        raise UsageError(f"process {worker}, which sweep {folder.name} names, does not work on it; nothing was stopped")
    os.kill(worker, signal.SIGTERM)
    if as_json:
        emit_json({"sweep": folder.name, "pid": worker})
    else:
        console().print(f"asked process {worker}: the runs of {folder.name} save a checkpoint and stop", markup=False)


def left(runs: int, seconds: float, unknown: int) -> str:
    """Return what is left of a sweep, its runs counted one after the other."""
    text = f"{runs} left, {duration(seconds)} of work" if seconds else f"{runs} left"
    return text + (f" and {counted(unknown, 'run')} of unknown time" if unknown else "")


def print_views(views: Sequence[ItemView]) -> None:
    """Print one line per run of a sweep."""
    rows = []
    for view in views:
        status = view.status
        step = f"{status.step:,}/{status.total:,}" if status and status.total else None
        score = None if status is None or status.last_return is None else f"{status.last_return:.4g}"
        note = view.record.note if view.state in ("failed", "stopped") else ""
        note = "done before" if view.planned.done else note
        rows.append([view.key, view.state, step, score, view.run_id or None, note])
    emit_table(["item", "state", "step", "return", "run", "note"], rows, right=["step", "return"], optional=["run"])


def print_status(name: str, *, as_json: bool) -> None:
    """Print every run of a sweep, and what is left."""
    folder = find_sweep(name)
    plan, worker = read_plan(folder), folder.worker()
    views = look(folder, plan)
    open_keys = {view.key for view in views if view.state in ("waiting", "working", "stopped")}
    seconds, unknown = seconds_left(plan, open_keys, list_runs())
    if as_json:
        todo = {"seconds": seconds, "unknown": unknown}
        emit_json({"sweep": folder.name, "worker": worker, "left": todo, "runs": views_json(views)})
        return
    print_views(views)
    todo_text = f"; {left(len(open_keys), seconds, unknown)}" if open_keys else ""
    console().print(f"{counted_views(views)}{todo_text}{_way(folder.name, worker, views)}", markup=False)


def _way(name: str, worker: int | None, views: Sequence[ItemView]) -> str:
    """Return who works on a sweep, or how somebody would; nothing when all of it is done."""
    if worker:
        return f"; process {worker} works on it"
    if all(view.state == "done" for view in views):
        return f": lamo report --sweep {name}"
    return f"; nobody works on it: lamo sweep --resume {name}"


def counted_views(views: Sequence[ItemView]) -> str:
    """Return how many runs are in each state, such as `12 done, 2 working, 4 waiting`."""
    counts = Counter(view.state for view in views)
    return ", ".join(f"{counts[state]} {state}" for state in ITEM_STATES if counts[state]) or "no runs"


def views_json(views: Sequence[ItemView]) -> list[dict[str, Any]]:
    """Return a sweep's runs for `--json`."""
    return [
        {
            "item": view.key,
            "state": view.state,
            "run": view.run_id,
            "failures": view.record.failures,
            "note": view.record.note,
            "step": view.status.step if view.status else 0,
            "return": view.status.last_return if view.status else None,
        }
        for view in views
    ]
