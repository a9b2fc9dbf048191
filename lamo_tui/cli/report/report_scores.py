"""Tables of returns and scores."""

from __future__ import annotations

from collections.abc import Sequence

from lamo_core.evaluation.intervals import bracketed, known_interval
from lamo_core.reports.cells import Cell, method_names
from lamo_core.reports.comparison import curves
from lamo_core.reports.coverage import coverage
from lamo_core.reports.rows import ReportRow
from lamo_core.wording import counted, plural
from lamo_tui.cli.report.report_table import Report, Table, between
from lamo_tui.format import duration, known, rate


def results_table(report: Report) -> Table:
    """Return raw returns with the data and the machine behind them."""
    episodes = sorted({row.evaluated // len(row.seeds) for row in report.rows})
    contexts = sorted({row.context for row in report.rows})
    each = f"{' or '.join(map(str, episodes))} {plural('episode', episodes[-1] if episodes else 0)}"
    note = (
        f"Mean raw return over the final evaluations, {each} per seed, context "
        f"{' or '.join(contexts)}; in brackets the 95 % bootstrap interval over episodes, drawn within each seed. "
        "Normalised: 0 is random play, 100 the task's expert. Made by `lamo report` from recorded runs."
        f"{_without_interval(report.rows)}{report.replaced}"
    )
    right = ("Return (95 %)", "Normalised", "Data mean", "Random")
    columns = ("Task", "Data", "Method", "Backbone", "Seeds", *right, "Training", "Machine")
    rows = [_result(row, method) for row, method in zip(report.rows, _methods(report), strict=True)]
    return Table(columns, rows, note, right, ("Machine", "Training", "Random"))


def _without_interval(rows: Sequence[ReportRow]) -> str:
    """Return a sentence on rows without an interval, empty where there are none."""
    if all(known_interval(row.low, row.high) for row in rows):
        return ""
    return " A dash where the episodes leave nothing to draw from, as a single one does."


def _methods(report: Report) -> list[str]:
    """Return every row's method, with the settings that tell it from another row that looks alike."""
    looks = [(row.task, row.ratio, row.method, row.backbone) for row in report.rows]
    full = {seed.run: cell.method for cell in report.cells for seed in cell.seeds}
    return [
        full.get(row.runs[0], row.method) if looks.count(look) > 1 else row.method
        for row, look in zip(report.rows, looks, strict=True)
    ]


_MANY = 10
_FEW = (
    "Such intervals are narrow for few seeds: with simulated normal scores those of 3 seeds held the truth in 80 to "
    "91 % of cases, those of 5 in 89 to 96 %, those of 10 in 92 to 96 %."
)


def scores_table(report: Report) -> Table:
    """Return the normalised scores of method x task x share of data, with the paper's beside them."""
    columns = ("Task", "Data", "Method", "Seeds", "Mean (95 %)", "IQM (95 %)", "Last fifth", "Best checkpoint")
    right = columns[3:]
    note = (
        "Normalised scores: 0 is random play, 100 the task's expert. Mean and interquartile mean (IQM) of the seeds' "
        "final evaluations, with 95 % bootstrap intervals over seeds and over the episodes within them. Last fifth: "
        "mean of the evaluations in the last fifth of training, as the paper scores. Best checkpoint: the best "
        "evaluation of all, chosen on the test environment, so it flatters. A run that is evaluated once has the same "
        "score in both."
        f"{report.replaced}"
    )
    if any(len(cell.seeds) < _MANY for cell in report.cells):
        note += f" {_FEW}"
    if any(len(cell.seeds) == 1 for cell in report.cells):
        note += " With one seed an interval is over its episodes alone."
    if any(cell.targets > 1 for cell in report.cells):
        note += " Several return targets were tried; the best one counts, which flatters."
    if any(cell.paper for cell in report.cells):
        note += " Paper: mean ± standard deviation over 3 seeds, last window, the best target on the test environment."
        if not all(cell.papers_data for cell in report.cells if cell.paper):
            note += " Other data: the paper's data are not ours, so its number is no reference for equality."
    return Table((*columns, "Paper"), [_score_row(cell) for cell in report.cells], note, right, ("Best checkpoint",))


def ratios_table(report: Report) -> Table:
    """Return scores over shares of the data, one column per share."""
    found = curves(report.cells)
    ratios = sorted({cell.ratio for curve in found for cell in curve.points})
    names = tuple(f"{100 * ratio:g} %" for ratio in ratios)
    rows = []
    for curve in found:
        means = {cell.ratio: f"{cell.mean:.1f}" for cell in curve.points}
        rows.append([curve.title, curve.method, *(means.get(ratio, "-") for ratio in ratios)])
    return Table(("Task", "Method", *names), rows, "Mean normalised scores over shares of the data.", names)


def coverage_table(report: Report) -> Table:
    """Return how many seeds every method has on every task and share of data."""
    methods = tuple(method_names(report.cells))
    rows = [
        [row.title, f"{100 * row.ratio:g} %", *("does not fit" if s is None else str(len(s)) for s in row.seeds)]
        for row in coverage(report.cells)
    ]
    note = (
        "Seeds that have a final evaluation: not every method has all of them, so scores of one setting may stand for "
        "different seeds. What is compared over several settings is compared on those that all methods have."
    )
    return Table(("Task", "Data", *methods), rows, note, methods)


def _result(row: ReportRow, method: str) -> list[str]:
    return [
        row.title,
        f"{100 * row.ratio:g} %: {counted(row.episodes, 'episode')}, {counted(row.transitions, 'transition')}",
        method,
        row.backbone,
        ", ".join(map(str, row.seeds)),
        f"{_score(row.mean)}{bracketed(row.low, row.high, _score, ' [-]')}",
        known(row.normalised, ".1f"),
        _score(row.data_mean),
        _score(row.random_score),
        f"{duration(row.seconds)}, {counted(row.steps, 'step')} at {rate(row.rate)}/s",
        row.machine,
    ]


def _score_row(cell: Cell) -> list[str]:
    paper = "-" if cell.paper is None else f"{cell.paper} ({cell.paper.table})"
    if cell.paper is not None and not cell.papers_data:
        paper = f"{cell.paper} ({cell.paper.table}, other data)"
    return [
        cell.title,
        f"{100 * cell.ratio:g} %",
        cell.method,
        str(len(cell.seeds)),
        between(cell.mean, cell.mean_low, cell.mean_high),
        between(cell.iqm, cell.iqm_low, cell.iqm_high),
        f"{cell.window:.1f}",
        f"{cell.best:.1f}",
        paper,
    ]


def _score(value: float) -> str:
    if value != value:
        return "-"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
