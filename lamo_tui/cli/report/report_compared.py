"""Tables that put methods against each other."""

from __future__ import annotations

from lamo_core.evaluation.intervals import spanned
from lamo_core.reports.comparison import Improvement, fullest, improvements, overall, profiles
from lamo_core.reports.paired import differences
from lamo_core.wording import counted, told_apart
from lamo_tui.cli.report.report_table import Report, Table, between

_NAMED = 12
"""Settings that a note names one by one."""


def overall_table(report: Report) -> Table:
    """Return the methods over the settings that all of them have."""
    rows = [
        [
            row.method,
            str(row.places),
            str(row.runs),
            between(row.mean, row.mean_low, row.mean_high),
            between(row.iqm, row.iqm_low, row.iqm_high),
        ]
        for row in overall(report.cells)
    ]
    methods, places = fullest(report.cells)
    titles = {cell.place: f"{cell.title} {100 * cell.ratio:g} %" for cell in report.cells}
    named = f" ({', '.join(titles[place] for place in places)})" if len(places) <= _NAMED else ""
    note = (
        f"Normalised scores over tasks and shares of data that all of these methods have{named}; 95 % bootstrap "
        "intervals, runs drawn within each of them; none where one of them has a single run."
        f"{_left_out(report, methods)}"
    )
    columns = ("Method", "Settings", "Runs", "Mean (95 %)", "IQM (95 %)")
    return Table(columns, rows, note, columns[1:])


def _left_out(report: Report, methods: list[str]) -> str:
    """Return a sentence on the methods that lack some of the settings, empty where none does."""
    others = list(dict.fromkeys(cell.method for cell in report.cells if cell.method not in methods))
    if not others:
        return ""
    return f" Without {', '.join(others)}, which {'lacks' if len(others) == 1 else 'lack'} some of them."


def improvement_table(report: Report) -> Table:
    """Return the chance that a run of the first method beats one of another."""

    def row(chance: Improvement) -> list[str]:
        interval = spanned(chance.low, chance.high, lambda end: f"{100 * end:.0f}", " %")
        return [chance.method, chance.other, str(chance.places), f"{100 * chance.chance:.0f} %", interval]

    note = (
        "Probability of improvement: the chance that a run of the first method scores higher than one of the other on "
        "the same setting, ties counting half, averaged over settings; 95 % stratified bootstrap, none where a setting "
        "has a single run, nor where every run of one beats every run of the other: nothing is left to vary there, "
        "which is no certainty. 50 % is no difference."
    )
    columns = ("Method", "against", "Settings", "Chance", "95 %")
    return Table(columns, [row(chance) for chance in improvements(report.cells, report.baseline)], note, columns[2:])


def paired_table(report: Report) -> Table:
    """Return how much more the first method scores than others with the same seeds, so on the same episodes."""
    found = differences(report.cells, report.baseline)
    rows = [
        [row.method, row.other, str(row.tasks), str(row.pairs), between(row.mean, row.low, row.high),
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
        note += f" Left out, since they saw different episodes: {counted(unlike, 'pair')}."
    columns = ("Method", "against", "Tasks", "Pairs", "Difference (95 %)", "Better")
    return Table(columns, rows, note, columns[2:])


def profiles_table(report: Report) -> Table:
    """Return the share of each method's runs above some scores."""
    found = profiles(report.cells)
    limits = found[0].thresholds if found else ()
    # where all runs score the same there is a single threshold
    spread = (0.1, 0.25, 0.5, 0.75, 0.9) if limits and limits[0] < limits[-1] else (0.5,) if limits else ()
    places = [round(share * (len(limits) - 1)) for share in spread]
    names = tuple(f"above {text}" for text in told_apart([limits[place] for place in places]))
    rows = [[profile.method, *(f"{100 * profile.shares[place]:.0f} %" for place in places)] for profile in found]
    note = (
        "Performance profiles: the share of runs that score above a normalised score; all settings weigh the same."
        f"{_left_out(report, [profile.method for profile in found])}"
    )
    return Table(("Method", *names), rows, note, names)
