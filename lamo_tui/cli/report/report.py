"""`lamo report`: tables and figures of results from recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.config import unknown_key
from lamo_core.errors import UsageError
from lamo_core.evaluation.intervals import without_points
from lamo_core.runs.records import plain
from lamo_core.wording import counted
from lamo_tui.cli.output import console, emit_json, emit_table, note, say
from lamo_tui.cli.report.report_files import update_block, write_report
from lamo_tui.cli.report.report_sources import find_records, origin, save_records
from lamo_tui.cli.report.report_table import Report
from lamo_tui.cli.report.report_tables import PARTS, tables

if TYPE_CHECKING:
    from lamo_core.reports.results import RunResult
    from lamo_tui.cli.report.report_table import Report


REPORT_EPILOG = (
    "Examples:  lamo report -f 'task:breakout' --update README.md   ·   lamo report --sweep last --out report   ·   "
    "lamo report --sweep last --save-results results.jsonl   ·   lamo report results.jsonl --out report"
)


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="Ids, beginnings of ids, paths, files of results, or studies that ship "
            "[default: all with a final evaluation].",
        ),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="Only runs that fit, as in `lamo runs`.")
    ] = None,
    sweep: Annotated[str | None, typer.Option(metavar="NAME", help="The runs of a sweep, or of `last`.")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this: coverage, results, scores, overall, paired, unseen, reliance, improvement, profiles, "
            "ratios or, on a wish alone, effects; repeatable."
        ),
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
    save: Annotated[
        Path | None,
        typer.Option("--save-results", metavar="FILE", help="Add the runs' results to this file, a line for each run."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Print scores of runs with intervals, methods compared, and the paper's numbers, all from what was recorded.

    A file of results (--save-results) holds all that a report needs, without the runs; several files and runs join.
    """
    from lamo_core.reports.results import result_of

    parts = _parts(part or [])
    records = find_records(runs or [], where or [], sweep)
    if not records:
        raise UsageError("no run has a final evaluation; train one to its end with: lamo train --preset NAME")
    made = _made([result_of(record) for record in records], baseline)
    if save is not None:
        new, held = save_records(save, records)
        console().print(f"{save} holds the results of {counted(held, 'run')}, {new} of them new", markup=False)
    if update is not None:
        # the block without a name keeps to the one table it always had
        wanted = parts or ([] if block else ["results"])
        update_block(update, block, "\n\n".join(table.markdown() for _, table in tables(made, wanted)))
        console().print(f"wrote {counted(len(made.rows), 'row')} into {update}", markup=False)
    if out is not None:
        text = "\n\n".join(table.markdown() for _, table in tables(made, parts))
        words = _words(runs or [], where or [], sweep, part or [], baseline, out)
        names = write_report(out, f"# Results\n\n{origin(records, words)}\n\n{text}", made.cells, baseline)
        console().print(f"wrote {', '.join(names)} into {out}", markup=False)
    if as_json or markdown or (update is None and out is None and save is None):
        _print(made, parts, as_json=as_json, markdown=markdown)


def _parts(wanted: list[str]) -> list[str]:
    for name in wanted:
        if name not in PARTS:
            raise unknown_key(name, list(PARTS), "part of a report")
    return wanted


def _words(
    runs: list[str], where: list[str], sweep: str | None, part: list[str], baseline: str | None, out: Path
) -> list[str]:
    """Return the arguments that make the same report again."""
    options: list[tuple[str, Sequence[str | None]]] = [
        ("--filter", where),
        ("--sweep", [sweep]),
        ("--part", part),
        ("--baseline", [baseline]),
    ]
    chosen = [word for name, values in options for value in values if value for word in (name, value)]
    return [*runs, *chosen, "--out", str(out)]


def _made(results: list[RunResult], baseline: str | None) -> Report:
    from lamo_core.reports.cells import make_cells, method_names
    from lamo_core.reports.rows import report_rows

    cells = make_cells(results)
    if baseline is not None and baseline not in method_names(cells):
        raise unknown_key(baseline, method_names(cells), "method among these runs,")
    rows = report_rows(results)
    older = len(results) - sum(len(row.seeds) for row in rows)
    return Report(rows, cells, baseline, older, sum(result.continued for result in results))


def _print(made: Report, parts: list[str], *, as_json: bool, markdown: bool) -> None:
    from lamo_core.reports.comparison import improvements, overall, profiles
    from lamo_core.reports.effects import effects
    from lamo_core.reports.held_out import unseen_losses
    from lamo_core.reports.paired import differences
    from lamo_core.reports.reliance_table import method_reliances

    if as_json:
        compared = {"overall": overall(made.cells), "improvement": improvements(made.cells, made.baseline)}
        compared |= {"paired": differences(made.cells, made.baseline)}
        compared |= {"unseen": unseen_losses(made.cells, made.baseline), "reliance": method_reliances(made.cells)}
        compared |= {"effects": effects(made.cells)}
        everything = {"rows": made.rows, "cells": made.cells, **compared, "profiles": profiles(made.cells)}
        emit_json(without_points(plain(everything)))
        return
    found = tables(made, parts)
    if markdown:
        say("\n\n".join(table.markdown() for _, table in found))
        return
    for number, (_, table) in enumerate(found):
        if number:
            say()
        emit_table(table.columns, table.rows, right=table.right, optional=table.optional)
        note(table.note)
