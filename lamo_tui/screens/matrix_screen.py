"""The matrix: scores as a heat map of two settings; a cell leads to its runs, an empty one to a new run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult

from lamo_core.engine.run_spec import METHOD
from lamo_core.errors import UsageError
from lamo_core.reports.matrix import Matrix, MatrixCell, axis_values, fitting, make_matrix
from lamo_core.reports.paper import paper_score
from lamo_core.runs.labels import NONE
from lamo_core.settings.preset_parts import preset_tasks
from lamo_core.shares import parse_share
from lamo_core.tasks.registry import get_task, task_names
from lamo_core.wording import counted
from lamo_tui.dashboard import run_actions
from lamo_tui.dashboard.new_run_model import NewRuns
from lamo_tui.keys.bindings import bindings_of, with_keys
from lamo_tui.screens.base import LamoScreen
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.text import figure, percent
from lamo_tui.themes import Palette
from lamo_tui.widgets.heatmap import Heatmap, Score
from lamo_tui.widgets.words import Static, entitle


@dataclass(frozen=True)
class View:
    """What spans the matrix, and what one page of it has in common."""

    rows: str
    columns: str
    page: str
    held: str
    """What is held, too, so that no mean mixes methods or ablations."""


VIEWS = (
    View("ablation", "ratio", "task", "method"),
    View("method", "ratio", "task", "ablation"),
    View("task", "method", "ratio", "ablation"),
    View("task", "ablation", "ratio", "method"),
)


class MatrixScreen(LamoScreen):
    """One page of the matrix, and what is known of the cell under the cursor."""

    PLACE = "matrix"
    BINDINGS = bindings_of("matrix")
    AUTO_FOCUS = "#cells"

    def __init__(self) -> None:
        super().__init__()
        self.view = VIEWS[0]
        self.pages: dict[str, str] = {}
        """The page that was looked at last, by its axis; so with what is held."""
        self.everything = False
        self.matrix: Matrix | None = None
        self._drawn: tuple[object, ...] = ()
        self._runs: object = None

    def compose_body(self) -> ComposeResult:
        """Head, heat map, and the facts of a cell."""
        yield Static(id="matrix-head")
        yield Heatmap(id="cells")
        yield Static(id="matrix-cell", classes="panel")

    @property
    def page(self) -> str:
        """What the page in view has in common, such as a task: the one with the newest run at first."""
        axis = self.view.page
        known = axis_values(self.lamo.snapshot.runs[:1], axis) or self._page_names()
        return self.pages.get(axis) or known[0]

    def _page_names(self) -> list[str]:
        return axis_values(self.lamo.snapshot.runs, self.view.page, possible=True)

    @property
    def held(self) -> str:
        """The method, or the ablation, of all runs in view: plain LaMo's where this page has any."""
        known, chosen = self._held_names(), self.pages.get(self.view.held)
        return chosen if chosen in known else known[0]

    def _held_names(self) -> list[str]:
        here = fitting(self.lamo.snapshot.runs, {self.view.page: self.page})
        return axis_values(here, self.view.held) or [METHOD if self.view.held == "method" else NONE]

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the page anew when runs or choices have changed."""
        looks = (self.view, self.page, self.held, self.everything, self.colours, self.size)
        if snapshot.runs is self._runs and looks == self._drawn[1:]:
            return
        # a run that goes on changes every second, its score does not
        scores_of = tuple((run.id, run.state, run.status.standing) for run in snapshot.runs)
        self._runs, state = snapshot.runs, (scores_of, *looks)
        if state == self._drawn:
            return
        self._drawn = state
        where = {self.view.page: self.page, self.view.held: self.held}
        made = make_matrix(snapshot.runs, self.view.rows, self.view.columns, where, possible=True)
        if not self.everything and made.cells:
            filled = {NONE, "lamo", *(row for row, _ in made.cells)}
            made = replace(made, rows=tuple(row for row in made.rows if row in filled))
        self.matrix = made
        scores = {key: shown for key, cell in made.cells.items() for shown in [_score(cell)]}
        base = NONE if self.view.rows == "ablation" and NONE in made.rows else None
        self.query_one(Heatmap).show(made.rows, made.columns, scores, base)
        self._draw_head()
        self._draw_cell()

    def recolour(self) -> None:
        """Draw again in other colours."""
        self._drawn = ()
        self.show_snapshot(self.lamo.snapshot)

    def _draw_head(self) -> None:
        view, dim = self.view, self.colours.dim
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        text.append(f"{view.rows} × {_plain(view.columns)}", Style(bold=True, color=self.colours.primary))
        pages = self._page_names()
        text.append(f"   {_plain(view.page)} ", dim).append(_titled(view.page, self.page), Style(bold=True))
        if self.page in pages:
            text.append(f"  {pages.index(self.page) + 1} of {len(pages)}", dim)
        others = self._held_names()
        if others != [NONE]:
            text.append(f"   {view.held} ", dim).append(self.held, Style(bold=True))
            text.append(f"  {others.index(self.held) + 1} of {len(others)}" if len(others) > 1 else "", dim)
        if view.rows == "ablation":
            legend = "   shaded: better or worse than none, beyond noise"
            text.append(legend if text.cell_len + len(legend) <= self.size.width else "", dim)
        scales = ("   normalised: 0 random play, 100 expert", "   0 random play, 100 expert", "   100 is expert")
        text.append(next((scale for scale in scales if text.cell_len + len(scale) <= self.size.width), ""), dim)
        self.query_one("#matrix-head", Static).update(text)

    def _draw_cell(self) -> None:
        panel, cell = self.query_one("#matrix-cell", Static), self._here()
        if self.matrix is None or cell is None:
            panel.update(Text("nothing to compare yet", self.colours.dim))
            return
        found = self.matrix.cells.get(cell)
        entitle(panel, " · ".join(_titled(axis, value) for axis, value in self._named(cell).items()))
        panel.update(_facts(found, self._choice(cell), self.keymap, self.colours))

    def _here(self) -> tuple[str, str] | None:
        return self.query_one(Heatmap).cell

    def _named(self, cell: tuple[str, str]) -> dict[str, str]:
        """Return what a cell is, by axis."""
        view = self.view
        return {view.page: self.page, view.rows: cell[0], view.columns: cell[1], view.held: self.held}

    def _choice(self, cell: tuple[str, str]) -> NewRuns:
        """Return the run that would fill a cell; what no axis says is plain LaMo."""
        named = self._named(cell)
        ablation = named.get("ablation", NONE)
        return NewRuns().picking(
            named.get("task", NewRuns().parts.task),
            parse_share(named.get("ratio", "1%")),
            method=named.get("method", METHOD),
            ablations=() if ablation == NONE else tuple(ablation.split("+")),
        )

    def on_heatmap_cell_moved(self, message: Heatmap.CellMoved) -> None:
        """Show what is known of the cell."""
        self._draw_cell()

    def on_heatmap_cell_chosen(self, message: Heatmap.CellChosen) -> None:
        """Open the runs of a cell, or New run for an empty one."""
        cell = (message.row, message.column)
        if self.matrix is not None and cell in self.matrix.cells:
            words = [f"{axis}={value}" for axis, value in self._named(cell).items()]
            self.lamo.show_runs(" ".join(words))
        else:
            self.lamo.new_run(self._choice(cell))

    # what keys do

    def action_open(self) -> None:
        """Open the cell under the cursor."""
        self.query_one(Heatmap).action_choose()

    def action_view(self, by: int) -> None:
        """Take the next pair of axes."""
        self.view = VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)]
        self.show_snapshot(self.lamo.snapshot)

    def action_page(self, by: int) -> None:
        """Take another task, or another share of the data."""
        names = self._page_names()
        at = names.index(self.page) if self.page in names else 0
        self.pages[self.view.page] = names[(at + by) % len(names)]
        self.show_snapshot(self.lamo.snapshot)

    def action_other(self) -> None:
        """Take another method, or another ablation, of those that runs of this page have."""
        names = self._held_names()
        self.pages[self.view.held] = names[(names.index(self.held) + 1) % len(names)]
        self.show_snapshot(self.lamo.snapshot)

    def action_everything(self) -> None:
        """Show every row that could be, or those with runs."""
        self.everything = not self.everything
        self.show_snapshot(self.lamo.snapshot)

    def action_train(self) -> None:
        """Let one more seed of the cell wait in the queue."""
        cell = self._here()
        if cell is not None:
            self.lamo.try_to(lambda: self._train(cell))

    def _train(self, cell: tuple[str, str]) -> str:
        choice = self._choice(cell)
        if (task := choice.parts.task) not in preset_tasks():
            raise UsageError(f"there is no preset for {task}; start it with: lamo train --config FILE")
        (run,) = run_actions.wait_in_queue(self.lamo.root, [choice.run(self._next_seed(cell))])
        return f"{run.id} waits for its device"

    def _next_seed(self, cell: tuple[str, str]) -> int:
        found = self.matrix.cells.get(cell) if self.matrix is not None else None
        ids = set(found.runs) if found is not None else set()
        taken = {run.settings.get("seed") for run in self.lamo.snapshot.runs if run.id in ids}
        return next(seed for seed in range(len(taken) + 1) if seed not in taken)

    def action_back(self) -> None:
        """Go back to the list of runs."""
        self.lamo.action_mode("runs")


def _score(cell: MatrixCell) -> Score:
    note = "mixed" if cell.mixed else "by hand" if cell.changed else ""
    if not note:
        note = f"{cell.working} running" if cell.working else f"{cell.waiting} queued" if cell.waiting else ""
    mean = float("nan") if cell.mean is None else cell.mean
    if cell.mean is None and not note:
        note = "no score"
    return Score(mean, cell.low, cell.high, cell.seeds, note)


def _facts(cell: MatrixCell | None, choice: NewRuns, keymap: Mapping[str, str], colours: Palette) -> Text:
    """Draw what is known of a cell, the paper's score beside it, and what the keys would do."""
    text, dim = Text(), colours.dim
    if cell is None:
        text.append("nothing was trained for this yet", dim)
    elif cell.mean is None:
        text.append("no score yet", dim)
    else:
        text.append(f"mean {figure(cell.mean)}", Style(bold=True))
        if cell.low is not None and cell.high is not None:
            text.append(f" [{figure(cell.low)}, {figure(cell.high)}]", dim)
        text.append(f"   {counted(cell.seeds, 'seed')}", dim)
        several = " and ".join(f"{axis}s" for axis in cell.mixed)
        text.append(f"   of several {several}" if several else "", colours.warn)
        text.append(f"   with {', '.join(cell.changed)}" if cell.changed else "", colours.warn)
    if cell is None or not (cell.mixed or cell.changed):
        text.append_text(_paper(choice, dim))
    text.append("\n")
    if cell is None:
        ways = "<matrix.open> sets up a run, <matrix.train> lets one wait in the queue"
        return text.append(with_keys(ways, keymap), dim)
    counts = {"finished": cell.finished, "under way": cell.working, "queued": cell.waiting}
    rest = len(cell.runs) - sum(counts.values())
    words = [f"{count} {name}" for name, count in {**counts, "ended early": rest}.items() if count]
    ways = with_keys("<matrix.open> lists them, <matrix.train> adds a seed", keymap)
    return text.append(f"{', '.join(words)}; {ways}", dim)


def _paper(choice: NewRuns, dim: str) -> Text:
    label = choice.method + "".join(f" +{ablation}" for ablation in choice.spec.ablations)
    published = paper_score(choice.parts.task, choice.ratio, label)
    return Text("") if published is None else Text(f"   paper, on its data: {published}, {published.table}", dim)


def _plain(axis: str) -> str:
    return "share of data" if axis == "ratio" else axis


def _titled(axis: str, value: str) -> str:
    if axis == "ratio":
        return percent(float(value.removesuffix("%")) / 100)
    if axis == "task" and value in task_names():
        return get_task(value).title
    if axis == "ablation" and value == NONE:
        return "no ablation"
    return value
