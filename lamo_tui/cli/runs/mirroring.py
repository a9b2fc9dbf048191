"""`lamo runs mirror`: a run in an experiment tracker."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lamo_core.errors import LamoError
from lamo_core.exchange.mirror import bring_up_to_date
from lamo_core.exchange.trackers import parse_trackers
from lamo_core.runs.directory import find_run
from lamo_core.wording import counted
from lamo_tui.cli.output import emit_json, say
from lamo_tui.cli.runs.steering import JsonOption, RunArgument


def mirror(
    run: RunArgument,
    to: Annotated[
        str, typer.Option("--to", metavar="TRACKERS", help="tensorboard, wandb, trackio, mlflow; or several.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy a run's curves to a tracker. Sends what that lacks, each step once."""
    trackers, found = parse_trackers(to), find_run(run)
    done = {}
    for tracker in trackers:
        try:
            report = done[tracker] = bring_up_to_date(found, tracker)
        except LamoError:
            raise
        except Exception as error:  # packages of others, and networks, fail in ways without end
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise LamoError(f"{tracker} did not take run {found.id}: {lines[0][:300]}; try again later") from error
        if not as_json:
            waiting = f"; {counted(report.left, 'step')} may still change" if report.left else ""
            anew = ", begun again as the run went back" if report.again else ""
            say(f"{tracker}  {report.name}{anew}: {counted(report.rows, 'step')} sent{waiting}")
    if as_json:
        emit_json({"run": found.id, "trackers": {name: asdict(report) for name, report in done.items()}})
