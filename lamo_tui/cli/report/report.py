"""`lamo report`: tables and figures of results from recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from lamo_tui.cli.report.report_made import Wanted, make_report

    wanted = Wanted(runs or [], where or [], sweep, part or [], baseline, block)
    make_report(wanted, update=update, out=out, save=save, as_json=as_json, markdown=markdown)
