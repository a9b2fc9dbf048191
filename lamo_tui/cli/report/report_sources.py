"""Where a report's results come from: folders of runs, sweeps, and files of results."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from lamo_core.errors import UsageError
from lamo_core.places import studies_dir
from lamo_core.reports.results import NoResult, gather
from lamo_core.reports.results_file import as_summary, merge, read_results, write_results
from lamo_core.runs.directory import find_run
from lamo_core.runs.index import RunSummary, list_runs, summarise
from lamo_core.runs.query import parse_query
from lamo_core.runs.status import ENDED
from lamo_core.sweep.folder import find_sweep
from lamo_core.sweep.plan import read_plan
from lamo_core.sweep.scheduler import look
from lamo_core.wording import counted, plural
from lamo_tui.cli.output import console
from lamo_tui.format import duration

_NAMED = 10
"""Of runs that are left out, of which there may be thousands."""


def find_records(texts: list[str], where: list[str], sweep: str | None) -> list[dict[str, Any]]:
    """Return the results of the wanted runs, oldest first; what is left out is told on stderr.

    `texts` are runs, files of results and names of the studies that ship; without them and without a sweep all runs
    with a final evaluation count. Raises `UsageError`, and `DataError` for a damaged file.
    """
    fits = parse_query(where)
    studies = {path.parent.name: path for path in studies_dir().glob("*/results.jsonl")}
    found = {text: Path(text) if Path(text).is_file() else studies.get(text) for text in texts}
    files = [file for file in found.values() if file is not None]
    runs = [text for text, file in found.items() if file is None]
    records = [record for file in files for record in read_results(file) if fits(as_summary(record))]
    if runs or sweep is not None or not files:
        left_out: list[str] = []
        for summary in filter(fits, _summaries(runs, sweep)):
            try:
                records.append(_gathered(summary))
            except NoResult as error:
                left_out.append(str(error))
        for reason in left_out[:_NAMED]:
            console().print(f"left out: {reason}", markup=False)
        if len(left_out) > _NAMED:
            console().print(f"left out: {counted(len(left_out) - _NAMED, 'other')}")
    return merge(records)


def _gathered(summary: RunSummary) -> dict[str, Any]:
    if summary.status.final is None and summary.state in ENDED:  # its summary knows, no need to open its records
        raise NoResult(f"run {summary.id} has no final evaluation yet")
    return gather(summary.run)


def save_records(path: Path, records: list[dict[str, Any]]) -> tuple[int, int]:
    """Add results to those that a file holds; returns how many are new and how many it holds now."""
    held = read_results(path) if path.exists() else []
    merged = merge([*held, *records])
    write_results(path, merged)
    return len(merged) - len(held), len(merged)


def origin(records: list[dict[str, Any]], words: list[str]) -> str:
    """Return a sentence on how a report was made; `words` are the arguments of its command."""
    # a folder of this machine says nothing elsewhere
    shown = shlex.join(Path(word).name if Path(word).is_absolute() else word for word in words)
    hours = duration(sum(record["seconds"] for record in records))
    versions = ", ".join(sorted({record.get("lamo") or "unknown" for record in records}))
    commits = sorted({str(record["commit"])[:9] for record in records if record.get("commit")})
    code = f" ({plural('commit', len(commits))} {', '.join(commits)})" if commits else ""
    what = f"{counted(len(records), 'run')}, {hours} of work in all, of lamo {versions}{code}"
    return f"Made by `lamo report {shown}` from {what}."


def _summaries(runs: list[str], sweep: str | None) -> list[RunSummary]:
    if sweep is not None:
        if runs:
            raise UsageError("give runs or --sweep, not both; files of results may join either")
        folder = find_sweep(sweep)
        views = look(folder, read_plan(folder))
        done = [folder.run(view.run_id) for view in views if view.has_result]
        if len(done) < len(views):
            every = counted(len(views), "run")
            console().print(f"done: {len(done)} of the {every} of {folder.name}; the others are left out")
        return [summarise(run) for run in done]
    if runs:
        return [summarise(run) for run in {run.id: run for run in map(find_run, runs)}.values()]
    # one that was continued and stopped keeps its evaluation; one that ended without any is named as left out
    return [summary for summary in list_runs() if summary.status.final is not None or summary.state == "finished"]
