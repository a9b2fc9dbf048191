"""How a sweep's plan is printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lamo_core.seeds import shown_seeds
from lamo_core.sweep.engines import Slot
from lamo_core.sweep.plan import Plan, PlannedRun
from lamo_tui.cli.output import emit_table, say
from lamo_tui.format import counted, duration, file_size


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


def _setting(run: PlannedRun) -> str:
    return run.key.rpartition("-s")[0]


def _size(runs: Sequence[PlannedRun]) -> str | None:
    if not all(run.disk for run in runs):
        return "not known"
    return f"{sum(run.disk for run in runs) / 1e6:,.0f} MB" if runs else None
