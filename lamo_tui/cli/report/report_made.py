"""A report, made from recorded runs: printed, put into a file, written into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamo_core.config import unknown_key
from lamo_core.errors import UsageError
from lamo_core.evaluation.intervals import without_points
from lamo_core.reports.cells import make_cells, method_names
from lamo_core.reports.comparison import improvements, overall, profiles
from lamo_core.reports.effects import effects
from lamo_core.reports.held_out import unseen_losses
from lamo_core.reports.paired import differences
from lamo_core.reports.reliance_table import method_reliances
from lamo_core.reports.results import RunResult, result_of
from lamo_core.reports.rows import report_rows
from lamo_core.runs.records import plain
from lamo_core.wording import counted
from lamo_tui.cli.output import console, emit_json, emit_table, note, say
from lamo_tui.cli.report.report_files import update_block, write_report
from lamo_tui.cli.report.report_sources import find_records, origin, save_records
from lamo_tui.cli.report.report_table import Report
from lamo_tui.cli.report.report_tables import PARTS, tables


@dataclass(frozen=True)
class Wanted:
    """What a report is made from, and what of it is shown, as the arguments of `lamo report` say."""

    runs: list[str]
    where: list[str]
    sweep: str | None
    parts: list[str]
    baseline: str | None
    block: str

    def words(self, out: Path) -> list[str]:
        """Return the arguments that make the same report again."""
        options: list[tuple[str, Sequence[str | None]]] = [
            ("--filter", self.where),
            ("--sweep", [self.sweep]),
            ("--part", self.parts),
            ("--baseline", [self.baseline]),
        ]
        chosen = [word for name, values in options for value in values if value for word in (name, value)]
        return [*self.runs, *chosen, "--out", str(out)]


def make_report(
    wanted: Wanted, *, update: Path | None, out: Path | None, save: Path | None, as_json: bool, markdown: bool
) -> None:
    """Make a report and put it where it is wanted, on stdout if nowhere else; raises `UsageError`."""
    parts, baseline, block = _parts(wanted.parts), wanted.baseline, wanted.block
    records = find_records(wanted.runs, wanted.where, wanted.sweep)
    if not records:
        raise UsageError("no run has a final evaluation; train one to its end with: lamo train --preset NAME")
    made = _made([result_of(record) for record in records], baseline)
    if save is not None:
        new, held = save_records(save, records)
        console().print(f"{save} holds the results of {counted(held, 'run')}, {new} of them new", markup=False)
    if update is not None:
        # the block without a name keeps to the one table it always had
        filled = parts or ([] if block else ["results"])
        update_block(update, block, "\n\n".join(table.markdown() for _, table in tables(made, filled)))
        console().print(f"wrote {counted(len(made.rows), 'row')} into {update}", markup=False)
    if out is not None:
        text = "\n\n".join(table.markdown() for _, table in tables(made, parts))
        how = origin(records, wanted.words(out))
        names = write_report(out, f"# Results\n\n{how}\n\n{text}", made.cells, baseline)
        console().print(f"wrote {', '.join(names)} into {out}", markup=False)
    if as_json or markdown or (update is None and out is None and save is None):
        _print(made, parts, as_json=as_json, markdown=markdown)


def _parts(wanted: list[str]) -> list[str]:
    for name in wanted:
        if name not in PARTS:
            raise unknown_key(name, list(PARTS), "part of a report")
    return wanted


def _made(results: list[RunResult], baseline: str | None) -> Report:
    cells = make_cells(results)
    if baseline is not None and baseline not in method_names(cells):
        raise unknown_key(baseline, method_names(cells), "method among these runs,")
    rows = report_rows(results)
    older = len(results) - sum(len(row.seeds) for row in rows)
    return Report(rows, cells, baseline, older, sum(result.continued for result in results))


def _print(made: Report, parts: list[str], *, as_json: bool, markdown: bool) -> None:
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
