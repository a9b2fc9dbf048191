"""`lamo runs`: what is running, what was, and what differs. Commands that steer runs are in `steering`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from lamo_core.config import RunConfig, unknown_key
from lamo_core.errors import UsageError
from lamo_core.places import runs_dir
from lamo_core.runs.compare import config_difference
from lamo_core.runs.directory import find_run
from lamo_core.runs.index import list_runs, summarise
from lamo_core.runs.manage import remove_run
from lamo_core.runs.query import parse_query
from lamo_core.runs.queue.runner import runner_process
from lamo_core.runs.reader import read_events
from lamo_core.runs.status import STATES
from lamo_core.runs.trash import empty_trash, trashed
from lamo_core.untrusted.regular_file import open_regular
from lamo_tui.cli import completion
from lamo_tui.cli.output import console, emit_json, emit_table, in_terminal, note, say
from lamo_tui.cli.report.report import REPORT_EPILOG, report
from lamo_tui.cli.runs import log, mirroring, packing, steering
from lamo_tui.cli.runs.steering import (
    PAUSE_EPILOG,
    RESUME_EPILOG,
    STOP_EPILOG,
    JsonOption,
    RunArgument,
    pause,
    resume,
    stop,
)
from lamo_tui.format import counted, duration, known, rate

if TYPE_CHECKING:
    from lamo_core.runs.index import RunSummary

__all__ = [
    "PAUSE_EPILOG",
    "REPORT_EPILOG",
    "RESUME_EPILOG",
    "STOP_EPILOG",
    "app",
    "pause",
    "report",
    "resume",
    "stop",
]

_SPARKS = "▁▂▃▄▅▆▇█"
_COLOURS = {"running": "green", "finished": "cyan", "paused": "yellow", "stalled": "yellow", "failed": "red"}
_COLOURS |= {"lost": "red"}
_LINES = 200
"""Of runs that a terminal shows unasked: a few screens."""
_END_OF_LOG = 1 << 20
"""Bytes from the end of a log that are looked at for its last lines."""


class _ListByDefault(TyperGroup):
    """A group whose words, when they name no command, are filters of `list`."""

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListByDefault,
    help="List runs and what is known of them; without a command, `list`.",
    rich_markup_mode=None,
    epilog="Examples:  lamo runs --state running   ·   lamo runs breakout 'ratio<0.1' -seed=0",
)


@app.command(
    "list",
    context_settings={"ignore_unknown_options": True},
    epilog="Examples:  lamo runs list pong   ·   lamo runs list 'return>10' --json",
)
def list_command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILTER", help="Words of the id, key:text, key=value, key<number; - negates."),
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only runs in this state; may be repeated.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=0,
            metavar="N",
            help="At most so many, the newest; 0 is all [default: 200 on a terminal, else all].",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    for word in words or []:
        if word.startswith("--"):
            raise UsageError(f"no such option: {word}; see: lamo runs list --help")
    wanted, fits = _states(state or []), parse_query(words or [])
    everything = list_runs()
    summaries = [run for run in everything if fits(run) and (not wanted or run.state in wanted)]
    shown = summaries[: _limit(limit, as_json)]
    if as_json:
        emit_json({"folder": runs_dir().absolute(), "runs": [summary.to_dict() for summary in shown]})
        return
    if not summaries:
        found = f"none of {counted(len(everything), 'run')} fits" if everything else "there are no runs"
        console().print(f"{found} in {runs_dir()}; start one with: lamo train --preset NAME", markup=False)
        return
    columns = ["run", "state", "step", "steps/s", "left", "return", "trend", "age"]
    emit_table(
        columns,
        [_row(summary) for summary in shown],
        right=["step", "steps/s", "left", "return", "age"],
        optional=["trend", "steps/s", "age", "left"],
    )
    if len(shown) < len(summaries):
        note(
            f"the newest {len(shown):,} of {counted(len(summaries), 'run')}; filters choose others, --limit 0 shows all"
        )
    if any(summary.position for summary in summaries) and runner_process(runs_dir()) is None:
        console().print("no process serves the queue; start one with: lamo queue start")


@app.command("show", epilog="Examples:  lamo runs show last   ·   lamo runs show 20261121-0144 --json")
def show(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run: state, scores, changed settings, last events."""
    found = find_run(run)
    summary, info, events = summarise(found), found.read_info(), read_events(found.events_file)
    if as_json:
        emit_json(summary.to_dict() | {"info": info, "events": events})
        return
    for name, value in _facts(summary):
        say(f"{name:<12}{value}")
    say("settings")
    origins = info.get("origins") or {}
    for name, (value, _) in config_difference([info["config"], RunConfig().to_dict()]).items():
        say(f"  {name:<34} {value!s:<26} {origins.get(name, '')}")
    say("log")
    for line in _last_lines(found.log_file, 10):
        say(f"  {line}")


@app.command("diff", epilog="Examples:  lamo runs diff last 20261121-0144   ·   lamo runs diff k3f9 x2ab --json")
def diff(left: RunArgument, right: RunArgument, as_json: JsonOption = False) -> None:
    """Show the settings that differ between two runs."""
    runs = [find_run(left), find_run(right)]
    difference = config_difference([run.read_info()["config"] for run in runs])
    if as_json:
        emit_json({"runs": [run.id for run in runs], "difference": difference})
    elif difference:
        emit_table(["setting", *(run.id for run in runs)], [[name, *row] for name, row in difference.items()])
    else:
        console().print("the settings are equal")


@app.command("rm", epilog="Examples:  lamo runs rm last   ·   lamo runs rm 20261121-0144 k3f9 --yes")
def remove(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Ids, beginnings of ids, paths, or `last`.", autocompletion=completion.runs),
    ] = None,
    trash: Annotated[
        bool, typer.Option("--trash", help="Delete for good what was deleted in the dashboard, and free its space.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete runs with their checkpoints. Refuses runs that a process works on."""
    if not runs and not trash:
        raise UsageError("name the runs to delete, or say --trash for those that the dashboard deleted")
    found = list({run.id: run for run in map(find_run, runs or ())}.values())
    paths = [*(run.path for run in found), *(path for _, path in (trashed(runs_dir()) if trash else ()))]
    if paths and not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError("deleting asks for confirmation; add --yes where nobody can answer")
        for path in paths:
            console().print(f"  {path}", markup=False)
        typer.confirm(f"delete {counted(len(paths), 'run')} for good?", abort=True, err=True)
    for run in found:
        remove_run(run)
    emptied = empty_trash(runs_dir()) if trash else []
    if as_json:
        emit_json({"removed": [*(run.id for run in found), *emptied]})


app.command("set", epilog="Examples:  lamo runs set last eval.every=200   ·   lamo runs set k3f9 checkpoint.keep=5")(
    steering.change_setting
)
app.command("save", epilog="Examples:  lamo runs save last   ·   lamo runs save k3f9 --json")(steering.save)
app.command("eval", epilog="Examples:  lamo runs eval last   ·   lamo runs eval k3f9 --json")(steering.evaluate)
app.command(
    "pack", epilog="Examples:  lamo runs pack last --out packed   ·   lamo runs pack k3f9 --out packed --checkpoint"
)(packing.pack)
app.command("log", epilog=log.LOG_EPILOG)(log.log)
app.command(
    "mirror",
    epilog="Examples:  lamo runs mirror last --to tensorboard   ·   lamo runs mirror k3f9 --to wandb,mlflow --json",
)(mirroring.mirror)
app.command("demo", epilog="Examples:  lamo runs demo   ·   lamo runs demo --json")(packing.demo)


def _states(names: list[str]) -> set[str]:
    for name in names:
        if name not in STATES:
            raise unknown_key(name, list(STATES), "state")
    # a run that does not answer is still a running one
    return {*names, *(["stalled"] if "running" in names else [])}


def _limit(asked: int | None, as_json: bool) -> int | None:
    """Return how many runs are shown; None for all, as files and programs want them."""
    if asked is None:
        return None if as_json or not in_terminal() else _LINES
    return asked or None


def _row(summary: RunSummary) -> list[object]:
    import time

    from rich.text import Text

    status, derived = summary.status, summary.derived
    state = f"stalled {duration(derived.stalled_seconds)}" if derived.state == "stalled" else derived.state
    state += f" {summary.position}" if summary.position else ""
    running = derived.state == "running"
    return [
        summary.id,
        Text(state, style=_COLOURS.get(derived.state, "")),
        _progress(summary),
        rate(status.rate) if running else None,
        duration(status.eta) if running else None,
        None if status.last_return is None else f"{status.last_return:.4g}",
        sparkline([point.mean for point in status.evaluations[-12:]]),
        duration(time.time() - summary.created),
    ]


def _progress(summary: RunSummary) -> str:
    """Return the step, or during a stage such as data preparation how far that is."""
    status = summary.status
    if summary.state == "running" and status.phase_total and status.phase != "training":
        return f"{status.phase} {status.phase_done / status.phase_total:.0%}"
    return f"{status.step:,}/{status.total:,}{f', {status.phase}' if status.freed else ''}"


def sparkline(values: list[float]) -> str:
    """Return values as a row of little bars; empty for fewer than two."""
    finite = [value for value in values if abs(value) < float("inf")]
    if len(finite) < 2:
        return ""
    # halves, because the distance between two numbers may be more than a number holds
    low, span = min(finite) / 2, (max(finite) / 2 - min(finite) / 2) or 1.0
    return "".join(_SPARKS[round((value / 2 - low) / span * (len(_SPARKS) - 1))] for value in finite)


def _facts(summary: RunSummary) -> list[tuple[str, str]]:
    status = summary.status
    speed = f"{rate(status.rate)} steps/s on {status.device or '-'}"
    facts = [
        ("run", summary.id),
        ("folder", str(summary.run.path)),
        ("state", summary.state + (f" ({status.message})" if status.message else "")),
        ("step", ", ".join([f"{status.step:,} of {status.total:,}", *([speed] if status.rate else [])])),
        ("worked", duration(status.seconds) + (f", {duration(status.eta)} left" if status.eta else "")),
    ]
    counting, final = status.standing.counting, status.final
    if counting is not None:
        trend = sparkline([point.mean for point in status.evaluations])
        where = f"step {counting.step:,}{' (final)' if counting == final else ''}"
        text = f"{counting.mean:.4g} at {where}, normalised {known(counting.normalised, '.4g')}  {trend}"
        facts.append(("return", text))
    if final is not None and status.step > final.step:
        newest = max((final, *status.evaluations), key=lambda point: point.step)
        later = f", newest evaluation {newest.mean:.4g} at step {newest.step:,}" if newest.step > final.step else ""
        facts.append(("continued", f"from step {final.step:,} without a final evaluation since{later}"))
    return facts


def _last_lines(path: Path, count: int) -> list[str]:
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END_OF_LOG))
            return file.read(_END_OF_LOG).decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []
