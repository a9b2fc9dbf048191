"""The table of main effects and interactions of LaMo's parts."""

from __future__ import annotations

from lamo_core.evaluation.intervals import bracketed
from lamo_core.reports.effects import Effect, effects
from lamo_tui.cli.report.report_table import Report, Table
from lamo_tui.format import known


def effects_table(report: Report) -> Table:
    """Return what every level of every factor changes."""
    found = effects(report.cells)
    rows = [_row(row) for row in found]
    columns = ("Outcome", "Factor", "Levels", "Tasks", "Seeds", "Pairs", "Change (95 %)", "Detectable")
    note = (
        "Pairs of runs with the same task, share, seed and episodes that differ in one factor, or in both of an "
        "interaction, which tells how much more the first level changes beside the second. Scores are normalised; of "
        "losses on unseen episodes the relative change is told, lower is better. Mean over tasks with a 95 % bootstrap "
        "interval over seeds. Detectable: the smallest true change that so many seeds show in 80 % of studies, at the "
        "5 % level. Permuted, scaled and random trunks have read nothing; random ones are close to the identity."
    )
    return Table(columns, rows, note, columns[3:])


def _row(row: Effect) -> list[str]:
    detectable = known(100 * row.detectable, ".1f") if row.outcome == "loss" else known(row.detectable, ".1f")
    return [
        "score" if row.outcome == "score" else "held-out loss",
        row.factor,
        f"{row.level} against {row.base}",
        str(row.tasks),
        str(row.seeds),
        str(row.pairs),
        f"{_change(row, row.change)}{bracketed(row.low, row.high, lambda end: _change(row, end), ' [-]')}",
        f"{detectable} %" if row.outcome == "loss" and detectable != "-" else detectable,
    ]


def _change(row: Effect, value: float) -> str:
    return f"{value:+.1f}" if row.outcome == "score" else f"{100 * value:+.1f} %"
