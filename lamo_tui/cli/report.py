"""`lamo report`: a table of results from recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lamo_core.runs.directory import RunDirectory
    from lamo_core.runs.report import ReportRow

START, END = "<!-- results:start -->", "<!-- results:end -->"

_COLUMNS = (
    "Task",
    "Data",
    "Method",
    "Backbone",
    "Seeds",
    "Return (95 %)",
    "Normalised",
    "Data mean",
    "Random",
    "Training",
    "Machine",
)
_RIGHT = ("Return (95 %)", "Normalised", "Data mean", "Random")


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Ids, beginnings of ids, or paths [default: all finished runs]."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="Only runs that fit, as in `lamo runs`.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    update: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Put the table between {START} and {END} of this file."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")
    ] = False,
) -> None:
    """Print final scores of runs with intervals, seeds pooled, as they were recorded.

    Examples:  lamo report   ·   lamo report -f 'task:breakout' --update README.md
    """
    from lamo_core.errors import UsageError
    from lamo_core.runs.report import NoResult, read_result, report_rows
    from lamo_tui.cli.output import console, emit_json, emit_table

    results = []
    for run in _chosen(runs or [], where or []):
        try:
            results.append(read_result(run))
        except NoResult as error:
            console().print(f"left out: {error}", markup=False)
    rows = report_rows(results)
    if not rows:
        raise UsageError("no run has a final evaluation; train one to its end with: lamo train --preset NAME")
    if update is not None:
        _update(update, _markdown(rows))
        console().print(f"wrote {len(rows)} rows into {update}", markup=False)
    if as_json:
        emit_json({"rows": rows})
    elif markdown:
        typer.echo(_markdown(rows))
    elif update is None:
        emit_table(
            _COLUMNS, [_cells(row) for row in rows], right=_RIGHT, optional=("Machine", "Training", "Random")
        )


def _chosen(texts: list[str], where: list[str]) -> list[RunDirectory]:
    from lamo_core.runs.directory import find_run
    from lamo_core.runs.index import list_runs, summarise
    from lamo_core.runs.query import parse_query

    fits = parse_query(where)
    if texts:
        summaries = [summarise(run) for run in {run.id: run for run in map(find_run, texts)}.values()]
    else:
        summaries = [summary for summary in list_runs() if summary.state == "finished"]
    return [summary.run for summary in summaries if fits(summary)]


def _cells(row: ReportRow) -> list[str]:
    from lamo_tui.cli.output import duration, rate

    return [
        row.title,
        f"{100 * row.ratio:g} %: {row.episodes:,} episodes, {row.transitions:,} transitions",
        row.method,
        row.backbone,
        ", ".join(map(str, row.seeds)),
        f"{_score(row.mean)} [{_score(row.low)}, {_score(row.high)}]",
        f"{row.normalised:.1f}",
        _score(row.data_mean),
        f"{row.random_score:g}",
        f"{duration(row.seconds)}, {row.steps:,} steps at {rate(row.rate)}/s",
        row.machine,
    ]


def _score(value: float) -> str:
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _markdown(rows: list[ReportRow]) -> str:
    rule = ["---:" if column in _RIGHT else "---" for column in _COLUMNS]
    lines = [_COLUMNS, rule, *(_cells(row) for row in rows)]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    episodes = sorted({row.evaluated // len(row.seeds) for row in rows})
    contexts = sorted({row.context for row in rows})
    note = (
        f"Mean raw return over the final evaluations, {' or '.join(map(str, episodes))} episodes per seed, context "
        f"{' or '.join(contexts)}; in brackets the 95 % bootstrap interval over episodes, drawn within each seed. "
        "Normalised: 0 is random play, 100 the task's expert. Made by `lamo report` from recorded runs."
    )
    return f"{table}\n\n{note}"


def _update(path: Path, text: str) -> None:
    from lamo_core.errors import UsageError
    from lamo_core.files import write_bytes

    try:
        old = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"could not read {path}: {getattr(error, 'strerror', None) or error}") from error
    before, start, rest = old.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise UsageError(f"{path} has no place for the table; put the lines {START} and {END} into it")
    write_bytes(path, f"{before}{START}\n{text}\n{END}{after}".encode(), "--update FILE")
