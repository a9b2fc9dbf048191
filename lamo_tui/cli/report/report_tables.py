"""The tables of a report, the same for terminal and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lamo_core.reports.coverage import coverage, is_even
from lamo_tui.cli.report.report_compared import improvement_table, overall_table, paired_table, profiles_table
from lamo_tui.cli.report.report_effects import effects_table
from lamo_tui.cli.report.report_measured import reliance_table, unseen_table
from lamo_tui.cli.report.report_scores import coverage_table, ratios_table, results_table, scores_table
from lamo_tui.cli.report.report_table import Report, Table

PARTS: dict[str, Callable[[Report], Table]] = {
    "coverage": coverage_table,
    "results": results_table,
    "scores": scores_table,
    "overall": overall_table,
    "paired": paired_table,
    "unseen": unseen_table,
    "reliance": reliance_table,
    "improvement": improvement_table,
    "profiles": profiles_table,
    "ratios": ratios_table,
    "effects": effects_table,
}
"""Parts of a report by name, in their order."""
_WISHED = ("effects",)
"""Parts that are shown on a wish alone."""
_ALONE = ("results", "scores", "unseen", "reliance", "ratios")
"""Parts that say something of a single method."""


def tables(report: Report, parts: Sequence[str]) -> list[tuple[str, Table]]:
    """Return the wanted parts that have something to show; with no wish all of them."""
    made = [(name, PARTS[name](report)) for name in (parts or PARTS)]
    shown = set(PARTS) - set(_WISHED)
    if len({cell.method for cell in report.cells}) < 2:
        shown = set(_ALONE)
    elif is_even(coverage(report.cells)):
        shown.remove("coverage")
    return [(name, table) for name, table in made if table.rows and (parts or name in shown)]
