"""Beside the list of runs: the curves of those chosen, and the facts of the one under the cursor."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from lamo_core.runs.index import RunSummary
from lamo_tui.cli.output import duration
from lamo_tui.screens.chart_grid import ChartGrid, Drawn
from lamo_tui.store import Snapshot
from lamo_tui.text import figure, fit, inked, paragraph, percent, short_id, short_name, state_text
from lamo_tui.themes import Palette
from lamo_tui.widgets.palette import letter_of


class Preview(Vertical):
    """Facts above, return and loss below."""

    def compose(self) -> ComposeResult:
        """Show facts and two charts."""
        yield Static(id="facts")
        yield ChartGrid(id="preview-charts", names=("return", "loss"))
        yield Static(id="preview-legend")

    def show(self, snapshot: Snapshot, ids: Sequence[str], current: RunSummary | None, colours: Palette) -> None:
        """Show the runs `ids` over each other, the first one on top."""
        grid = self.query_one(ChartGrid)
        grid.can_focus = False
        for chart in grid.charts:
            chart.can_focus = False
        numbers = {run_id: index for index, run_id in enumerate(sorted(ids))}
        runs = [
            Drawn(snapshot.watched[run_id], short_id(run_id), numbers[run_id])
            for run_id in ids
            if run_id in snapshot.watched
        ]
        grid.show_all(runs, colours)
        self.query_one("#facts", Static).update(_facts(current, self.size.width - 4, colours))
        self.query_one("#preview-legend", Static).update(_legend(snapshot, ids, numbers, self.size.width - 4, colours))


def _facts(run: RunSummary | None, width: int, colours: Palette) -> Text:
    if run is None:
        return Text("no run chosen", colours.dim)
    status, settings, dim = run.status, run.settings, colours.dim
    text = inked(fit(run.id, width) + "\n", Style(bold=True, color=colours.primary))
    ratio = settings.get("data.ratio")
    share = percent(ratio) if isinstance(ratio, int | float) else "?"
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created)) if run.created else "?"
    rows = {
        "state": [state_text(run), f"step {status.step:,} of {status.total:,}", f"{duration(status.seconds)} worked"],
        "model": [str(settings.get(f"model.{name}")) for name in ("backbone", "adapter", "embedding")],
        "data": [share, str(settings.get("data.set"))],
        "return": _returns(run),
        "made": [made, *([status.device] if status.device else [])],
    }
    for label, parts in rows.items():
        text.append_text(paragraph(label, parts, width, dim))
    if status.message and not run.derived.active:
        text.append(status.message, colours.bad if run.state == "failed" else dim)
    text.rstrip()
    return text


def _returns(run: RunSummary) -> list[str]:
    points = run.status.evaluations
    if not points:
        return ["not evaluated yet"]
    best = max(points, key=lambda point: point.mean)
    return [figure(points[-1].mean), f"best {figure(best.mean)}", f"normalised {figure(points[-1].normalised)}"]


def _legend(snapshot: Snapshot, ids: Sequence[str], numbers: dict[str, int], width: int, colours: Palette) -> Text:
    text = Text()
    for run_id in sorted(ids):
        run = snapshot.run(run_id)
        if run is None or len(ids) < 2:
            continue
        number = numbers[run_id]
        ink = colours.series[number % len(colours.series)]
        text.append(f"{letter_of(number)} ", Style(bold=True, color=ink))
        text.append(fit(f"{short_id(run_id)}  {short_name(run)}", width - 2) + "\n", colours.dim)
    text.rstrip()
    return text
