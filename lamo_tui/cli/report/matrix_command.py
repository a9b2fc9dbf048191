"""`lamo matrix`: runs as a table of two settings, each cell a mean over seeds with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.errors import UsageError
from lamo_core.runs.index import list_runs
from lamo_tui.cli.output import console, emit_json, emit_table, note
from lamo_tui.cli.runs.steering import JsonOption

if TYPE_CHECKING:
    from lamo_core.reports.matrix import Matrix, MatrixCell

MATRIX_EPILOG = (
    "Examples:  lamo matrix --rows ablation --columns ratio -w task=atari-breakout   ·   "
    "lamo matrix --rows task --columns method --json"
)


def matrix(
    rows: Annotated[str, typer.Option(help="task, ratio, method, ablation, backbone or seed.")] = "ablation",
    columns: Annotated[str, typer.Option(help="The same.")] = "ratio",
    where: Annotated[
        list[str] | None, typer.Option("--where", "-w", metavar="AXIS=VALUE", help="Only runs with this value.")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Also show what nothing was trained for yet.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show runs as a table: normalised scores of the final evaluations, mean over seeds with a 95 % interval.

    What neither spans the table nor stands in --where is held, so that no mean mixes it: the task with the most runs,
    the method lamo, no ablation, if runs have them.
    """
    from lamo_core.reports.matrix import held, make_matrix

    runs = list_runs()
    chosen = held(runs, (rows, columns), dict(_condition(text) for text in where or []))
    made = make_matrix(runs, rows, columns, chosen, possible=empty)
    if as_json:
        emit_json(_plain(made))
        return
    if not made.cells and not empty:
        console().print("no run fits; train one with: lamo train --preset NAME, or see `lamo matrix --empty`")
        return
    _print(made)


def _condition(text: str) -> tuple[str, str]:
    axis, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f"--where wants AXIS=VALUE, such as task=atari-breakout, not {text!r}")
    return axis.strip(), value.strip()


def _plain(made: Matrix) -> dict[str, Any]:
    from dataclasses import asdict

    cells = [{"row": row, "column": column, **asdict(cell)} for (row, column), cell in made.cells.items()]
    axes = {"row_axis": made.row_axis, "column_axis": made.column_axis, "where": dict(made.where)}
    return {**axes, "rows": made.rows, "columns": made.columns, "cells": cells}


def _print(made: Matrix) -> None:
    head = " × ".join((made.row_axis, made.column_axis))
    if made.where:
        head += ", " + ", ".join(f"{axis} {value}" for axis, value in made.where.items())
    table = [[row, *(_text(made.cells.get((row, column))) for column in made.columns)] for row in made.rows]
    emit_table(["", *made.columns], table, right=made.columns)
    note(f"{head}: normalised scores, mean over seeds [95 % interval] (seeds)")


def _text(cell: MatrixCell | None) -> str:
    if cell is None:
        return "·"
    words = [f"{cell.working} running"] * (cell.working > 0) + [f"{cell.waiting} queued"] * (cell.waiting > 0)
    if cell.mean is None:
        return ", ".join(words) or "no score"
    interval = "" if cell.low is None or cell.high is None else f" [{cell.low:.1f}, {cell.high:.1f}]"
    words += [f"several {axis}s" for axis in cell.mixed]
    words += [f"with {change}" for change in cell.changed]
    return ", ".join([f"{cell.mean:.1f}{interval} ({cell.seeds})", *words])
