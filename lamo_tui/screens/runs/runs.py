"""All runs of the folder: a live list with filter, selection and pins, and the curves of those chosen beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from lamo_core.errors import LamoError
from lamo_core.runs.index import RunSummary
from lamo_core.runs.query import parse_query
from lamo_tui.dashboard import run_actions
from lamo_tui.keys.bindings import bindings_of, with_keys
from lamo_tui.screens.dialogs import differences
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.screens.runs.preview import Preview
from lamo_tui.screens.runs.run_columns import ORDERS, RunRow, chosen_columns, table_columns
from lamo_tui.screens.runs.run_keys import SteeringScreen
from lamo_tui.screens.runs.run_names import distinct_names
from lamo_tui.screens.runs.run_table import Layout, layout, ordered
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.widgets.words import Static

_OVERLAID = 6
"""More curves than this cannot be told apart."""
_YOUNG = 600
"""Seconds up to which ages are shown with their seconds."""
_MEANT = 24
"""Runs of which means are taken at most."""


class RunsScreen(SteeringScreen):
    """The list of runs."""

    PLACE = "runs"
    BINDINGS = bindings_of("runs")
    AUTO_FOCUS = "#run-table"

    def __init__(self) -> None:
        super().__init__()
        self.selected: set[str] = set()
        self.pinned: set[str] = set()
        self.by_seed = False
        self._drawn: tuple[object, object] = (None, None)
        self.query_text = ""
        self._fits: Callable[[RunSummary], bool] = lambda run: True

    @property
    def order(self) -> str:
        """What the list is ordered by."""
        return self.lamo.view.order if self.lamo.view.order in ORDERS else "age"

    def compose_body(self) -> ComposeResult:
        """List on the left, what is known of the chosen runs on the right."""
        with Horizontal():
            with Vertical(id="list"):
                with Horizontal(id="filter-line"):
                    yield Static(Text(" filter "))
                    yield Input(placeholder="breakout state:running ratio<0.1 return>10 -seed=3", compact=True)
                yield Static(id="filter-problem")
                yield Static(id="table-head")
                yield Rows(id="run-table", empty="  looking for runs…")
                yield Static(id="selection")
            yield Preview(id="preview", classes="panel")

    def on_mount(self) -> None:
        """Look at the list as it was looked at last."""
        view = self.lamo.view
        self.pinned, self.by_seed = set(view.pinned), view.by_seed
        self.set_class(view.table, "-table")
        if view.query:
            self.filter_by(view.query)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the list anew; the cursor stays on its run."""
        width = self.query_one("#run-table", Rows).scrollable_content_region.width
        young = any(snapshot.time - run.created < _YOUNG for run in snapshot.runs[:1])
        moment = snapshot.time // (5 if young else 30)
        view = self.lamo.view
        chosen = (frozenset(self.selected), frozenset(self.pinned), self.order, self.query_text)
        marks = (*chosen, view.columns, view.table, width, self.colours, moment)
        if snapshot.runs is not self._drawn[0] or marks != self._drawn[1]:
            self._drawn = (snapshot.runs, marks)
            self._draw_list(snapshot, width)
        self._remember()
        self._watch()
        if self.query_one(Preview).display:
            self.query_one(Preview).show(snapshot, self.overlaid(), self.by_seed, self._current(), self.colours)

    def _remember(self) -> None:
        if self.lamo.snapshot.listed:
            # a selection that outlives its moment is forgotten by who made it, and keys would act on it
            self.lamo.remember(query=self.query_text, by_seed=self.by_seed, pinned=tuple(sorted(self.pinned)))

    def _draw_list(self, snapshot: Snapshot, width: int) -> None:
        runs = [run for run in snapshot.runs if self._fits(run) or run.id in self.pinned]
        if snapshot.listed and not snapshot.unread:
            known = {run.id for run in snapshot.runs}
            self.selected &= known
            self.pinned &= known
        table = self.query_one("#run-table", Rows)
        table.cursor_style = Style(bgcolor=self.colours.cursor)
        table.empty = _why_empty(snapshot, self.keymap)
        names = distinct_names(runs)
        columns = table_columns(runs) if self.lamo.view.table else chosen_columns(self.lamo.view.columns)
        placed = layout(width, max(map(len, names.values()), default=0), self.order, columns)
        listed = ordered(runs, self.order, self.pinned)
        table.set_rows([self._row(run, names[run.id], placed, snapshot.time) for run in listed])
        self.say("#table-head", placed.draw_head(self.order, self.colours))
        self._show_selection()

    def _show_selection(self) -> None:
        """Say which runs the keys act on, for as long as any is selected."""
        words = selection_words(len(self.selected), len(self._in_view()))
        line = self.query_one("#selection")
        line.set_class(bool(words), "shown")
        self.say("#selection", Text(f" {words}", self.colours.secondary))

    def _in_view(self) -> set[str]:
        """Return the selected runs that the list shows."""
        return self.selected & {row.key for row in self.query_one("#run-table", Rows).rows}

    def _row(self, run: RunSummary, name: str, placed: Layout, now: float) -> Row:
        row = RunRow(run, name, run.id in self.selected, run.id in self.pinned, now - run.created, self.colours)
        return Row(run.id, lambda width: placed.draw(row), (row.mark, placed))

    def overlaid(self) -> list[str]:
        """Return the runs whose curves are shown: pinned, selected, and the one under the cursor."""
        here = self.query_one("#run-table", Rows).key
        wanted = self.pinned | self.selected
        marked = [run.id for run in self.lamo.snapshot.runs if run.id in wanted] if wanted else []
        shown = list(dict.fromkeys([*([here] if here else []), *marked]))[:_OVERLAID]
        if not self.by_seed:
            return shown
        alike = {run.experiment for run in self.lamo.snapshot.runs if run.id in shown}
        return [run.id for run in self.lamo.snapshot.runs if run.experiment in alike][:_MEANT]

    def _watch(self) -> None:
        # while the folder is being read nothing else is, above all not NumPy
        complete = self.lamo.snapshot.listed and not self.lamo.snapshot.unread
        if self.lamo.store.watch(self.overlaid() if complete and self.query_one(Preview).display else ()):
            self.lamo.wake()

    def _current(self) -> RunSummary | None:
        key = self.query_one("#run-table", Rows).key
        return self.lamo.snapshot.run(key) if key else None

    def targets(self) -> list[RunSummary]:
        """Return the runs that an action applies to: the selected ones in view, else the one under the cursor."""
        in_view = self._in_view()
        chosen = [run for run in self.lamo.snapshot.runs if run.id in in_view]
        here = self._current()
        return chosen or ([here] if here else [])

    def on_rows_widened(self, message: Rows.Widened) -> None:
        """Draw the columns that there is room for now."""
        self.show_snapshot(self.lamo.snapshot)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Show the curves of the run that the cursor went to."""
        if message.rows.id == "run-table":
            self._watch()
            self.tidy_keys()
            preview = self.query_one(Preview)
            if preview.display:
                preview.show(self.lamo.snapshot, self.overlaid(), self.by_seed, self._current(), self.colours)

    def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """Open a run by a double click."""
        self.action_open()

    def action_open(self) -> None:
        """Open the run under the cursor."""
        run = self._current()
        if run is not None:
            self.lamo.open_run(run.id)

    def filter_by(self, text: str) -> None:
        """Show the runs that fit a query, with the query in sight."""
        self.query_one("#filter-line").add_class("shown")
        self.query_one(Input).value = text
        self.set_focus(self.query_one("#run-table", Rows))

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one("#filter-line").add_class("shown")
        self.set_focus(self.query_one(Input))  # now, as `focus()` would come behind letters typed at once

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing; a term that is not complete leaves the list as it is."""
        problem = self.query_one("#filter-problem", Static)
        try:
            self._fits = parse_query([event.value])
        except LamoError as error:
            problem.update(Text(f" {error}", self.colours.bad))
            problem.add_class("shown")
            return
        problem.remove_class("shown")
        self.query_text = event.value
        self.show_snapshot(self.lamo.snapshot)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the list; an empty filter hides its line."""
        if not event.value.strip():
            self.query_one("#filter-line").remove_class("shown")
        self.set_focus(self.query_one("#run-table", Rows))

    def action_clear(self) -> None:
        """Clear the filter if there is one, else the selection."""
        line = self.query_one("#filter-line")
        if line.has_class("shown"):
            self.query_one(Input).value = ""
            line.remove_class("shown")
            self.set_focus(self.query_one("#run-table", Rows))
        else:
            self.selected.clear()
        self.show_snapshot(self.lamo.snapshot)

    def action_select(self) -> None:
        """Select the run or take it out, and go one down."""
        table = self.query_one("#run-table", Rows)
        if table.key is not None:
            self.selected ^= {table.key}
            table.action_step(1)
            self.show_snapshot(self.lamo.snapshot)

    def action_pin(self) -> None:
        """Pin the run or let it go."""
        key = self.query_one("#run-table", Rows).key
        if key is not None:
            self.pinned ^= {key}
            self.show_snapshot(self.lamo.snapshot)

    def action_seeds(self) -> None:
        """Draw each preset as the mean over its seeds, or each run by itself."""
        self.by_seed = not self.by_seed
        self.notify("curves: mean over seeds" if self.by_seed else "curves: each run", timeout=2)
        self.show_snapshot(self.lamo.snapshot)
        self.lamo.wake()

    def action_sort(self) -> None:
        """Take the next order."""
        names = list(ORDERS)
        self.action_sort_by(names[(names.index(self.order) + 1) % len(names)])

    def action_sort_by(self, order: str) -> None:
        """Order the list by a column."""
        self.lamo.remember(order=order)
        self.show_snapshot(self.lamo.snapshot)

    def action_columns(self) -> None:
        """Choose the columns of the list."""
        from lamo_tui.screens.runs.column_picker import ColumnPicker

        def chosen(columns: tuple[str, ...] | None) -> None:
            if columns is not None:
                self.lamo.remember(columns=columns, table=False)
                self._arrange()

        self.app.push_screen(ColumnPicker(self.lamo.view.columns), chosen)

    def action_table(self) -> None:
        """Show results and all settings in which the listed runs differ, over the whole width; or the list again."""
        self.lamo.remember(table=not self.lamo.view.table)
        self._arrange()

    def _arrange(self) -> None:
        self.set_class(self.lamo.view.table, "-table")
        self.show_snapshot(self.lamo.snapshot)

    def action_undelete(self) -> None:
        """Bring back what was deleted last."""
        self.lamo.try_to(partial(run_actions.undelete, self.lamo.root))

    def action_diff(self) -> None:
        """Show in which settings the selected runs differ."""
        runs = self.targets()
        if len(runs) < 2:
            self.notify("select two runs or more with <runs.select>, then press <runs.diff>")
            return
        self.app.push_screen(differences(runs))


def selection_words(selected: int, in_view: int) -> str:
    """Return how many runs are selected and which of them keys act on; nothing where none is."""
    if not selected:
        return ""
    if in_view == selected:
        return f"{selected} selected: keys act on {'it' if selected == 1 else 'them'}"
    acts = f"the {in_view} in view" if in_view else "the run under the cursor"
    return f"{selected} selected, {selected - in_view} hidden: keys act on {acts}"


def _why_empty(snapshot: Snapshot, keymap: Mapping[str, str]) -> str:
    """Return what a list without runs says."""
    if not snapshot.listed or snapshot.unread:
        return "  looking for runs…"
    if snapshot.runs:
        return "  no run fits the filter: esc clears it"
    return with_keys("  no runs yet: press <app.new> to start one", keymap)
