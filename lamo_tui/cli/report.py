"""`lamo report`: tables and figures of results from recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lamo_core.runs.directory import RunDirectory
    from lamo_core.runs.report import RunResult
    from lamo_tui.cli.report_tables import Report


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Ids, beginnings of ids, or paths [default: all finished runs]."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="Only runs that fit, as in `lamo runs`.")
    ] = None,
    sweep: Annotated[str | None, typer.Option(metavar="NAME", help="The runs of a sweep, or of `last`.")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(help="Only this: results, scores, overall, improvement, profiles or ratios; may be repeated."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="METHOD", help="Whose chance of improvement is told [default: lamo].")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    update: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Put the table between <!-- results:start --> and <!-- results:end --> of this file."
        ),
    ] = None,
    block: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="With --update: fill <!-- results:NAME:start --> instead, with all parts or those of --part.",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write report.md, cells.csv, runs.csv and figures (SVG, PNG).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")
    ] = False,
) -> None:
    """Print scores of runs with intervals, methods compared, and the paper's numbers, all from what was recorded.

    Examples:  lamo report -f 'task:breakout' --update README.md   ·   lamo report --sweep last --out report
    """
    from lamo_core.errors import UsageError
    from lamo_tui.cli.output import console
    from lamo_tui.cli.report_files import update_block, write_report
    from lamo_tui.cli.report_tables import tables

    parts = _parts(part or [])
    results = _results(_chosen(runs or [], where or [], sweep))
    if not results:
        raise UsageError("no run has a final evaluation; train one to its end with: lamo train --preset NAME")
    made = _made(results, baseline)
    if update is not None:
        # the block without a name keeps to the one table it always had
        wanted = parts or ([] if block else ["results"])
        update_block(update, block, "\n\n".join(table.markdown() for _, table in tables(made, wanted)))
        console().print(f"wrote {len(made.rows)} rows into {update}", markup=False)
    if out is not None:
        text = "\n\n".join(table.markdown() for _, table in tables(made, parts))
        names = write_report(out, text, made.cells, baseline)
        console().print(f"wrote {', '.join(names)} into {out}", markup=False)
    if as_json or markdown or (update is None and out is None):
        _print(made, parts, as_json=as_json, markdown=markdown)


def _parts(wanted: list[str]) -> list[str]:
    from lamo_core.config import unknown_key
    from lamo_tui.cli.report_tables import PARTS

    for name in wanted:
        if name not in PARTS:
            raise unknown_key(name, list(PARTS), "part of a report")
    return wanted


def _chosen(texts: list[str], where: list[str], sweep: str | None) -> list[RunDirectory]:
    from lamo_core.errors import UsageError
    from lamo_core.runs.directory import find_run
    from lamo_core.runs.index import list_runs, summarise
    from lamo_core.runs.query import parse_query
    from lamo_core.sweep.folder import find_sweep
    from lamo_core.sweep.plan import read_plan
    from lamo_core.sweep.scheduler import look

    fits = parse_query(where)
    if sweep is not None:
        if texts:
            raise UsageError("give runs or --sweep, not both")
        folder = find_sweep(sweep)
        found = [folder.run(view.run_id) for view in look(folder, read_plan(folder)) if view.state == "done"]
        summaries = [summarise(run) for run in found]
    elif texts:
        summaries = [summarise(run) for run in {run.id: run for run in map(find_run, texts)}.values()]
    else:
        summaries = [summary for summary in list_runs() if summary.state == "finished"]
    return [summary.run for summary in summaries if fits(summary)]


def _results(runs: list[RunDirectory]) -> list[RunResult]:
    from lamo_core.runs.report import NoResult, read_result
    from lamo_tui.cli.output import console

    results = []
    for run in runs:
        try:
            results.append(read_result(run))
        except NoResult as error:
            console().print(f"left out: {error}", markup=False)
    return results


def _made(results: list[RunResult], baseline: str | None) -> Report:
    from lamo_core.config import unknown_key
    from lamo_core.reports.cells import make_cells, method_names
    from lamo_core.runs.report import report_rows
    from lamo_tui.cli.report_tables import Report

    cells = make_cells(results)
    if baseline is not None and baseline not in method_names(cells):
        raise unknown_key(baseline, method_names(cells), "method among these runs,")
    return Report(report_rows(results), cells, baseline)


def _print(made: Report, parts: list[str], *, as_json: bool, markdown: bool) -> None:
    from lamo_core.reports.comparison import improvements, overall, profiles
    from lamo_tui.cli.output import console, emit_json, emit_table
    from lamo_tui.cli.report_tables import tables

    if as_json:
        compared = {"overall": overall(made.cells), "improvement": improvements(made.cells, made.baseline)}
        emit_json({"rows": made.rows, "cells": made.cells, **compared, "profiles": profiles(made.cells)})
        return
    found = tables(made, parts)
    if markdown:
        typer.echo("\n\n".join(table.markdown() for _, table in found))
        return
    for number, (_, table) in enumerate(found):
        if number:
            typer.echo()
        emit_table(table.columns, table.rows, right=table.right, optional=table.optional)
        console().print(table.note, style="dim", markup=False)
