"""The tables of a report, the same for terminal and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamo_core.reports.cells import Cell
    from lamo_core.reports.comparison import Improvement
    from lamo_core.reports.reliance import PartShare
    from lamo_core.reports.unseen import UnseenLoss
    from lamo_core.runs.report import ReportRow


@dataclass(frozen=True)
class Table:
    """Columns and rows of text, and a sentence that says how they came about."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    note: str
    right: tuple[str, ...] = ()
    """Columns of numbers."""
    optional: tuple[str, ...] = ()
    """Columns that a narrow terminal leaves out, the first one first."""

    def markdown(self) -> str:
        """Return the table and its note as Markdown."""
        rule = ["---:" if column in self.right else "---" for column in self.columns]
        lines = [self.columns, rule, *self.rows]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return f"{table}\n\n{self.note}"


@dataclass(frozen=True)
class Report:
    """What all tables are made from."""

    rows: list[ReportRow]
    cells: list[Cell]
    baseline: str | None = None
    older: int = 0
    """Runs that do not count, since newer ones have the same settings and seed."""

    @property
    def replaced(self) -> str:
        """A sentence on what does not count, empty where everything does."""
        if not self.older:
            return ""
        return f" Of runs with the same settings and seed the newest counts; older ones left out: {self.older:,}."


def results_table(report: Report) -> Table:
    """Return raw returns with the data and the machine behind them."""
    episodes = sorted({row.evaluated // len(row.seeds) for row in report.rows})
    contexts = sorted({row.context for row in report.rows})
    counted = f"{' or '.join(map(str, episodes))} episode{'s' * (episodes != [1])}"
    note = (
        f"Mean raw return over the final evaluations, {counted} per seed, context "
        f"{' or '.join(contexts)}; in brackets the 95 % bootstrap interval over episodes, drawn within each seed. "
        "Normalised: 0 is random play, 100 the task's expert. Made by `lamo report` from recorded runs."
        f"{report.replaced}"
    )
    right = ("Return (95 %)", "Normalised", "Data mean", "Random")
    columns = ("Task", "Data", "Method", "Backbone", "Seeds", *right, "Training", "Machine")
    rows = [_result(row, method) for row, method in zip(report.rows, _methods(report), strict=True)]
    return Table(columns, rows, note, right, ("Machine", "Training", "Random"))


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


def overall_table(report: Report) -> Table:
    """Return every method over the settings that all methods share."""
    from lamo_core.reports.comparison import overall, shared_places

    rows = [
        [
            row.method,
            str(row.places),
            str(row.runs),
            _between(row.mean, row.mean_low, row.mean_high),
            _between(row.iqm, row.iqm_low, row.iqm_high),
        ]
        for row in overall(report.cells)
    ]
    places = shared_places(report.cells)
    titles = {cell.place: f"{cell.title} {100 * cell.ratio:g} %" for cell in report.cells}
    named = f" ({', '.join(titles[place] for place in places)})" if len(places) <= _NAMED else ""
    note = (
        f"Normalised scores over the tasks and shares of data that all methods have{named}; 95 % bootstrap intervals, "
        "runs drawn within each of them; none where one of them has a single run."
    )
    columns = ("Method", "Settings", "Runs", "Mean (95 %)", "IQM (95 %)")
    return Table(columns, rows, note, columns[1:])


def improvement_table(report: Report) -> Table:
    """Return the chance that a run of the first method beats one of another."""
    from lamo_core.reports.comparison import improvements

    def row(chance: Improvement) -> list[str]:
        known = chance.low == chance.low
        interval = f"{100 * chance.low:.0f} to {100 * chance.high:.0f} %" if known else "-"
        return [chance.method, chance.other, str(chance.places), f"{100 * chance.chance:.0f} %", interval]

    note = (
        "Probability of improvement: the chance that a run of the first method scores higher than one of the other on "
        "the same setting, ties counting half, averaged over settings; 95 % stratified bootstrap, none where a setting "
        "has a single run. 50 % is no difference. Where every run of one beats every run of the other, nothing is left "
        "to vary and the interval is a point: that is no certainty."
    )
    columns = ("Method", "against", "Settings", "Chance", "95 %")
    return Table(columns, [row(chance) for chance in improvements(report.cells, report.baseline)], note, columns[2:])


def paired_table(report: Report) -> Table:
    """Return how much more the first method scores than others with the same seeds, so on the same episodes."""
    from lamo_core.reports.paired import differences

    found = differences(report.cells, report.baseline)
    rows = [
        [row.method, row.other, str(row.tasks), str(row.pairs), _between(row.mean, row.low, row.high),
         f"{row.better} of {row.pairs}"]
        for row in found
    ]  # fmt: skip
    note = (
        "Paired differences of normalised scores: runs with the same task, share and seed are trained on the same "
        "episodes. Mean over tasks, with a 95 % bootstrap interval over the seeds of each task, a seed's shares of the "
        "data taken together; none where a task has one seed. Better: pairs in which the first method scores higher."
    )
    unlike = sum(row.unlike for row in found)
    if unlike:
        note += f" {unlike} pairs saw different episodes and are left out."
    columns = ("Method", "against", "Tasks", "Pairs", "Difference (95 %)", "Better")
    return Table(columns, rows, note, columns[2:])


def unseen_table(report: Report) -> Table:
    """Return the losses on episodes that were not trained on."""
    from lamo_core.reports.unseen import unseen_losses

    found = unseen_losses(report.cells, report.baseline)
    rows = [
        [
            row.title,
            f"{100 * row.ratio:g} %",
            row.method,
            str(row.seeds),
            f"{row.loss:.4f} [{row.low:.4f}, {row.high:.4f}]" if row.low == row.low else f"{row.loss:.4f} [-]",
            _change(row) if row.other else "-",
        ]
        for row in found
    ]
    other = next((row.other for row in found if row.other), "")
    note = (
        "Loss after training on the actions of episodes that the share leaves out: squared error of actions between -1 "
        "and 1, or cross-entropy in nats. Mean over seeds with a 95 % bootstrap interval; the change is the geometric "
        "mean over the seeds that both methods have, on the same episodes. Methods with a memory are measured on whole "
        "windows, those without one on single steps; value-based methods were never asked to foretell actions."
    )
    against = f"Against {other} (95 %)" if other else "Change"
    columns = ("Task", "Data", "Method", "Seeds", "Loss on unseen episodes (95 %)", against)
    return Table(columns, rows, note, columns[3:])


def _change(row: UnseenLoss) -> str:
    if row.change_low != row.change_low:
        return f"{100 * row.change:+.1f} % [-]"
    return f"{100 * row.change:+.1f} % [{100 * row.change_low:+.1f}, {100 * row.change_high:+.1f}]"


def reliance_table(report: Report) -> Table:
    """Return what the decisions of every method are made from."""
    from lamo_core.analysis.parts import PARTS as SEEN
    from lamo_core.reports.reliance import method_reliances

    rows = [
        [
            row.title,
            f"{100 * row.ratio:g} %",
            row.method,
            str(row.seeds),
            *(_part(row.parts[part]) if part in row.parts else "-" for part in SEEN),
        ]
        for row in method_reliances(report.cells)
    ]
    note = (
        "How far decisions move when one part of what the policy sees is that of another window, as a share of how far "
        "they move when all of it is. Mean over seeds with a 95 % bootstrap interval; measured after training on "
        "windows of its data by `lamo analyse RUN --part reliance --keep`. Earlier actions are a policy's own mistakes "
        "when it plays."
    )
    columns = ("Task", "Data", "Method", "Seeds", *(part.capitalize() for part in SEEN))
    return Table(columns, rows, note, columns[3:])


def _part(share: PartShare) -> str:
    if share.low != share.low:
        return f"{100 * share.mean:.0f} % [-]"
    return f"{100 * share.mean:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def profiles_table(report: Report) -> Table:
    """Return the share of each method's runs above some scores."""
    from lamo_core.reports.comparison import profiles

    found = profiles(report.cells)
    limits = found[0].thresholds if found else (0.0, 1.0)
    places = [round(share * (len(limits) - 1)) for share in (0.1, 0.25, 0.5, 0.75, 0.9)] if found else []
    names = tuple(f"above {limits[place]:.0f}" for place in places)
    rows = [[profile.method, *(f"{100 * profile.shares[place]:.0f} %" for place in places)] for profile in found]
    note = "Performance profiles: the share of runs that score above a normalised score; all settings weigh the same."
    return Table(("Method", *names), rows, note, names)


def ratios_table(report: Report) -> Table:
    """Return scores over shares of the data, one column per share."""
    from lamo_core.reports.comparison import curves

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
    from lamo_core.reports.cells import method_names
    from lamo_core.reports.coverage import coverage

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
}
"""Parts of a report by name, in their order."""


def tables(report: Report, parts: Sequence[str]) -> list[tuple[str, Table]]:
    """Return the wanted parts that have something to show; with no wish all of them."""
    from lamo_core.reports.coverage import coverage, is_even

    made = [(name, PARTS[name](report)) for name in (parts or PARTS)]
    shown = set(PARTS)
    if len({cell.method for cell in report.cells}) < 2:
        shown = set(_ALONE)
    elif is_even(coverage(report.cells)):
        shown.remove("coverage")
    return [(name, table) for name, table in made if table.rows and (parts or name in shown)]


_NAMED = 12
"""Settings that a note names one by one."""
_ALONE = ("results", "scores", "unseen", "reliance", "ratios")
"""Parts that say something of a single method."""


def _result(row: ReportRow, method: str) -> list[str]:
    from lamo_tui.cli.output import duration, known, rate

    return [
        row.title,
        f"{100 * row.ratio:g} %: {row.episodes:,} episodes, {row.transitions:,} transitions",
        method,
        row.backbone,
        ", ".join(map(str, row.seeds)),
        f"{_score(row.mean)} [{_score(row.low)}, {_score(row.high)}]",
        known(row.normalised, ".1f"),
        _score(row.data_mean),
        _score(row.random_score),
        f"{duration(row.seconds)}, {row.steps:,} steps at {rate(row.rate)}/s",
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
        _between(cell.mean, cell.mean_low, cell.mean_high),
        _between(cell.iqm, cell.iqm_low, cell.iqm_high),
        f"{cell.window:.1f}",
        f"{cell.best:.1f}",
        paper,
    ]


def _between(value: float, low: float, high: float) -> str:
    return f"{value:.1f} [{low:.1f}, {high:.1f}]" if low == low else f"{value:.1f} [-]"


def _score(value: float) -> str:
    if value != value:
        return "-"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
