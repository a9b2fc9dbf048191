"""Beside the list of runs: the curves of those chosen, and the facts of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from lamo_core.runs.index import RunSummary
from lamo_core.wording import counted
from lamo_tui.format import clock_time, duration
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.base import LamoScreen
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.text import figure, fit, inked, normalised, paragraph, percent, short_id, short_name, state_text
from lamo_tui.themes import Palette
from lamo_tui.widgets.palette import letter_of
from lamo_tui.widgets.words import Static

if TYPE_CHECKING:
    from lamo_tui.screens.run.chart_grid import ChartGrid


class Preview(ResilientWidget, Vertical):
    """Facts above, return and loss below."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._charts: ChartGrid | None = None
        self._newest: tuple[Snapshot, dict[str, list[str]], Palette] | None = None

    def compose(self) -> ComposeResult:
        """Show facts; the charts come when the whole list is on the screen, as they need NumPy."""
        yield Static(id="facts")
        yield Static(id="preview-legend")

    async def load_charts(self) -> None:
        """Put the charts where they belong; does nothing the second time."""
        if self._charts is None and self.is_mounted and self.is_attached:
            from lamo_tui.screens.run.chart_grid import ChartGrid

            self._charts = ChartGrid(id="preview-charts", names=("return", "loss"))
            self._charts.can_focus = False
            await self.mount(self._charts, before="#preview-legend")
            for chart in self._charts.charts:
                chart.can_focus = False
            if isinstance(self.screen, LamoScreen):
                self.screen.take_marker()
            if self._newest is not None:
                self._draw(self._charts, *self._newest)

    def show(
        self, snapshot: Snapshot, ids: Sequence[str], by_seed: bool, current: RunSummary | None, colours: Palette
    ) -> None:
        """Show the runs `ids` over each other; `by_seed` draws the mean over runs of one preset."""
        groups = _groups(snapshot, ids, by_seed)
        self._say("#facts", _facts(current, self.size.width - 4, colours))
        self._say("#preview-legend", _legend(snapshot, groups, self.size.width - 4, colours))
        self._newest = snapshot, groups, colours
        if self._charts is not None:
            self._draw(self._charts, snapshot, groups, colours)
        elif snapshot.listed and not snapshot.unread:
            self.call_after_refresh(self.load_charts)

    def _draw(self, charts: ChartGrid, snapshot: Snapshot, groups: dict[str, list[str]], colours: Palette) -> None:
        from lamo_tui.screens.run.grid_chart import Drawn

        drawn = []
        for number, (title, members) in enumerate(groups.items()):
            runs = [run for run in map(snapshot.run, members) if run is not None]
            datas = tuple(snapshot.watched[run.id] for run in counting_seeds(runs) if run.id in snapshot.watched)
            if datas:
                drawn.append(Drawn(datas, title.partition("  ")[0], number))
        charts.show_all(drawn, colours)

    def _say(self, place: str, text: Text) -> None:
        # an update lays the whole screen out anew, so it is made for news only
        static = self.query_one(place, Static)
        if static.content != text:
            static.update(text)


def _facts(run: RunSummary | None, width: int, colours: Palette) -> Text:
    if run is None:
        return Text("no run chosen", colours.dim)
    status, settings, dim = run.status, run.settings, colours.dim
    text = inked(fit(run.id, width) + "\n", Style(bold=True, color=colours.primary))
    ratio = settings.get("data.ratio")
    share = percent(ratio) if isinstance(ratio, int | float) else "?"
    made = clock_time(run.created, "%Y-%m-%d %H:%M") if run.created else "?"
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
    counting = run.status.standing.counting
    if counting is None:
        return ["not evaluated yet"]
    best = max((*run.status.evaluations, counting), key=lambda point: point.mean)
    return [figure(counting.mean), f"best {figure(best.mean)}", f"normalised {normalised(counting.normalised)}"]


def _groups(snapshot: Snapshot, ids: Sequence[str], by_seed: bool) -> dict[str, list[str]]:
    """Return what each curve is called and the runs that it is made from, in an order that does not change."""
    groups: dict[str, list[str]] = {}
    names: dict[tuple[str, ...], str] = {}
    for run_id in sorted(ids):
        run = snapshot.run(run_id)
        if run is None:
            continue
        # runs of one name may be different experiments, whose mean is none: those are told apart by a run of each
        title = f"{short_id(run_id)}  {short_name(run)}"
        if by_seed:
            title = names.setdefault(run.experiment, run.name if run.name not in names.values() else title)
        groups.setdefault(title, []).append(run_id)
    return groups


def counting_seeds(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the seeds of a mean: those that finished or are under way; all of them where none did or is."""
    return [run for run in runs if run.state == "finished" or run.derived.active] or list(runs)


def seeds_text(runs: Sequence[RunSummary]) -> str:
    """Return of which seeds a mean is made, and why others are left out of it, or where it is that of fewer."""
    counting = counting_seeds(runs)
    left_out = [run for run in runs if run not in counting]
    words = f"mean and range of {counted(len(counting), 'seed')}"
    if left_out:
        named = ", ".join(f"{_seed(run)} {run.state} at {run.status.step:,}" for run in left_out[:3])
        more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        words += f" without {named}{more}"
    shortest = min(counting, key=lambda run: run.status.step)
    if shortest.status.step < max(run.status.step for run in counting):
        words += f"; of all to step {shortest.status.step:,}: {_seed(shortest)} {shortest.state}"
    return words


def _seed(run: RunSummary) -> str:
    return f"s{run.settings.get('seed', '?')}"


def _legend(snapshot: Snapshot, groups: dict[str, list[str]], width: int, colours: Palette) -> Text:
    text = Text()
    for number, (title, members) in enumerate(groups.items()):
        if len(groups) < 2 and len(members) < 2:
            continue
        text.append(f"{letter_of(number)} ", Style(bold=True, color=colours.series[number % len(colours.series)]))
        text.append(fit(title, width - 2) + "\n", colours.dim)
        if len(members) > 1:
            words = seeds_text([run for run in map(snapshot.run, members) if run is not None])
            text.append("".join(f"  {line}\n" for line in wrap(words, max(8, width - 2))), colours.dim)
    text.rstrip()
    return text
