"""How a sweep's plan and progress are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lamo_core.runs.index import list_runs
from lamo_core.seeds import shown_seeds
from lamo_tui.cli.output import console, emit_json, emit_table, say
from lamo_tui.format import duration, file_size

if TYPE_CHECKING:
    from lamo_core.sweep.engines import Slot
    from lamo_core.sweep.plan import Plan, PlannedRun
    from lamo_core.sweep.scheduler import ItemView


def print_plan(plan: Plan, slots: Sequence[Slot], free: int) -> None:
    """Print one line per setting, its seeds counted together, and what all of it costs."""
    groups: dict[str, list[PlannedRun]] = {}
    for run in plan.runs:
        groups.setdefault(_setting(run), []).append(run)
    rows = []
    for name, runs in groups.items():
        left = [run for run in runs if not run.done]
        each = next((run.seconds for run in left if run.seconds is not None), None)
        seeds = tuple(run.spec.seed or 0 for run in runs)
        done = len(runs) - len(left)
        rows.append([name, shown_seeds(seeds), done or None, duration(each) if left else None, _size(left)])
    columns = ["runs", "seeds", "done already", "time each", "disk"]
    emit_table(columns, rows, right=columns[2:])
    say(summary(plan, slots, free))


def summary(plan: Plan, slots: Sequence[Slot], free: int) -> str:
    """Return what the plan costs in all, in one or two sentences."""
    from lamo_tui.format import counted

    count, done = len(plan.open), len(plan.runs) - len(plan.open)
    text = f"{counted(count, 'run')} to do" + (f", {done} done already" if done else "")
    if not count:
        return f"{text}: nothing is left to do"
    jobs = max(1, len(slots))
    if plan.seconds:
        # runs that share a processor or a card slow each other down, by how much is not known
        low, high = duration(plan.seconds / jobs), duration(plan.seconds)
        text += f"; about {high}" if jobs == 1 else f"; about {low} to {high}"
    if plan.budgeted:
        text += f" ({plan.budgeted} by what their preset is sized for on two cores, not measured here)"
    if plan.unknown:
        text += f"; the time of {plan.unknown} is not known: nothing like them has run here yet"
    places = Counter((slot.threads, slot.card) for slot in slots)
    where = ", ".join(
        f"{number} at once with {counted(threads, 'thread')}" + ("" if card is None else f" on card {card}")
        for (threads, card), number in places.items()
    )
    unsized = sum(not run.disk for run in plan.open)
    more = f" and that of {counted(unsized, 'run')} whose model is not known here" if unsized else ""
    return f"{text}\n{where}; disk {file_size(plan.disk)}{more} of {file_size(free)} free"


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan for `--json`: sizes that are not known are null."""
    values = plan.to_dict()
    sizes = ({name: run[name] or None for name in ("disk", "memory")} for run in values["runs"])
    return values | {"runs": [{**run, **known} for run, known in zip(values["runs"], sizes, strict=True)]}


def left(runs: int, seconds: float, unknown: int) -> str:
    """Return what is left of a sweep, its runs counted one after the other."""
    from lamo_tui.format import counted

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
    from lamo_core.sweep.folder import find_sweep
    from lamo_core.sweep.plan import read_plan, seconds_left
    from lamo_core.sweep.scheduler import look

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
    console().print(f"{counted(views)}{todo_text}{_way(folder.name, worker, views)}", markup=False)


def _way(name: str, worker: int | None, views: Sequence[ItemView]) -> str:
    """Return who works on a sweep, or how somebody would; nothing when all of it is done."""
    if worker:
        return f"; process {worker} works on it"
    if all(view.state == "done" for view in views):
        return f": lamo report --sweep {name}"
    return f"; nobody works on it: lamo sweep --resume {name}"


def counted(views: Sequence[ItemView]) -> str:
    """Return how many runs are in each state, such as `12 done, 2 working, 4 waiting`."""
    from lamo_core.sweep.scheduler import ITEM_STATES

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


def _setting(run: PlannedRun) -> str:
    return run.key.rpartition("-s")[0]


def _size(runs: Sequence[PlannedRun]) -> str | None:
    if not all(run.disk for run in runs):
        return "not known"
    return f"{sum(run.disk for run in runs) / 1e6:,.0f} MB" if runs else None
