"""Asked and achieved: the returns that a policy is asked for against those that it achieves, played when wanted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult

from lamo_core.errors import UsageError
from lamo_core.evaluation.intervals import spanned, without_points
from lamo_core.runs.index import RunSummary
from lamo_core.runs.target_sweep_file import AskedReturns
from lamo_core.wording import counted
from lamo_tui.dashboard.target_sweep_jobs import Job
from lamo_tui.keys.bindings import bindings_of, with_keys
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.run.chart_actions import write_chart
from lamo_tui.screens.run.grid_chart import GridChart
from lamo_tui.state.run_series import Plot
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.text import bar, figure, inked
from lamo_tui.themes import Palette
from lamo_tui.widgets.charts.series import Mark, Reference, Series
from lamo_tui.widgets.words import Static

_BAR = 24


class AskedScreen(LamoScreen):
    """A sweep of one run; leaving it lets what plays go on."""

    PLACE = "asked"
    BINDINGS = bindings_of("asked")
    AUTO_FOCUS = "GridChart"

    def __init__(self, run: RunSummary) -> None:
        super().__init__()
        self._run = run

    def compose_body(self) -> ComposeResult:
        """What it is; the chart; the same as numbers."""
        yield Static(id="asked-head")
        yield GridChart(Plot("asked", "achieved return", ()))
        yield Static(id="asked-table")

    def on_mount(self) -> None:
        """Show what there is."""
        self.query_one(GridChart).x_name = "asked"
        self.take_marker()
        self.show_sweep()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say when the run has gone on."""
        self.show_sweep()

    def show_sweep(self) -> None:
        """Show how far it is and what was found."""
        run = self.lamo.snapshot.run(self._run.id) or self._run
        desk = self.lamo.desk
        job, found = desk.job_of(run.run), desk.found(run.run)
        self.say("#asked-head", head_text(run, job, found, self.keymap, self.colours), grows=True)
        self.say("#asked-table", Text() if found is None else table_text(found, self.colours), grows=True)
        chart = self.query_one(GridChart)
        chart.set_series([] if found is None else series_of(found, self.colours))
        chart.set_references([] if found is None else references_of(found, self.colours))
        chart.set_marks([] if found is None else marks_of(found, self.colours))

    def recolour(self) -> None:
        """Draw again in other colours."""
        self.show_sweep()

    def action_again(self) -> None:
        """Ask the newest checkpoint."""
        self.lamo.try_to(lambda: self.lamo.desk.begin(self._run.run))
        self.show_sweep()

    def action_stop(self) -> None:
        """End what plays here."""
        job = self.lamo.desk.job_of(self._run.run)
        if job is not None and job.working:
            self.lamo.desk.stop()
        self.show_sweep()

    def action_export(self) -> None:
        """Write the numbers as CSV and the chart as SVG and PNG into the working folder."""
        self.lamo.try_to(self._export)

    def _export(self) -> str:
        found = self.lamo.desk.found(self._run.run)
        if found is None:
            raise UsageError("there is nothing to write yet")
        name = f"{self._run.id}-asked"
        return write_chart(self.query_one(GridChart), name, to_csv(found), name)

    def action_back(self) -> None:
        """Go back to where it was opened from."""
        self.app.pop_screen()


def to_csv(found: AskedReturns) -> str:
    """Return a line for each target, with the names that `lamo analyse` writes."""
    names = ("target", "episodes", "mean", "low", "high")
    rows = [without_points({name: getattr(score, name) for name in names}) for score in found.scores]
    lines = [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
    return "\n".join([",".join(names), *lines]) + "\n"


def head_text(
    run: RunSummary, job: Job | None, found: AskedReturns | None, keymap: Mapping[str, str], colours: Palette
) -> Text:
    """Draw which run it is, how far it is or what was found, and what went wrong."""
    title = inked(" asked and achieved", Style(bold=True, color=colours.primary))
    lines = [title.append(f"  {run.id}", Style(bold=True))]
    if job is not None and job.working:
        lines.append(_progress(job, colours))
    elif found is not None:
        order = "-" if found.rank_correlation is None else f"{found.rank_correlation:.2f}"
        facts = f" step {found.step:,} · {counted(found.scores[0].episodes, 'episode')} each · rank correlation {order}"
        lines.append(inked(facts, colours.dim))
        if run.status.step > found.step:
            way = with_keys("<asked.again> asks again", keymap)
            lines.append(inked(f" the run is at step {run.status.step:,}: {way}", colours.warn))
    if job is not None and job.problem:
        lines.append(inked(f" {with_keys(job.problem, keymap)}", colours.warn))
    if found is not None and found.clipped:
        words = " asked for in clipped rewards, achieved in raw ones: they need not be equal"
        lines.append(inked(words, colours.dim))
    return Text("\n").join(lines)


def _progress(job: Job, colours: Palette) -> Text:
    full, empty = bar(job.done / job.total if job.total else 0.0, _BAR)
    words = f"{job.done} of {counted(job.total, 'episode')}, {counted(job.steps, 'decision')}"
    words = words if job.total else "loading the policy…"
    return inked(f" {full}", colours.primary).append(empty, colours.faint).append(f"  {words}", colours.dim)


def table_text(found: AskedReturns, colours: Palette) -> Text:
    """Draw a line for each target."""
    text = Text(f" {'asked':>9}  {'achieved':>9}   95 %\n", colours.dim, no_wrap=True, overflow="ellipsis")
    lines = []
    for score in found.scores:
        line = Text(f" {figure(score.target):>9}  ").append(f"{figure(score.mean):>9}", Style(bold=True))
        line.append(f"   {spanned(score.low, score.high, figure)}", colours.dim)
        inside = found.data_low <= score.target <= found.data_high
        lines.append(line if inside else line.append("   beyond the data", colours.warn))
    return text.append_text(Text("\n").join(lines))


def series_of(found: AskedReturns, colours: Palette) -> list[Series]:
    """Return what was achieved with its interval, over the line on which it would be what was asked."""
    asked = np.array([score.target for score in found.scores])
    mean, low, high = (np.array([getattr(score, name) for score in found.scores]) for name in ("mean", "low", "high"))
    achieved = Series("achieved", asked, mean, colours.series[0], None, low, high, "A")
    # in clipped rewards what is asked for is no raw return, so nothing is to be equal
    return [achieved] if found.clipped else [Series("as asked", asked, asked, colours.series[7], marker="="), achieved]


def references_of(found: AskedReturns, colours: Palette) -> list[Reference]:
    """Return the mean return of the data, where that is comparable."""
    return [] if found.clipped else [Reference("data mean", found.data_mean, colours.series[1])]


def marks_of(found: AskedReturns, colours: Palette) -> list[Mark]:
    """Return the targets of the run's evaluations, and where the data end."""
    targets = [Mark("target", target, colours.series[3]) for target in found.targets]
    return [*targets, Mark("best of the data", found.data_high, colours.series[7])]
