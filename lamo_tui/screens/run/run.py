"""One run: its curves, what happened, its settings, and the machine's load."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.css.scalar import Scalar
from textual.widgets import Input

from lamo_core.runs.control import CommandName
from lamo_core.runs.index import RunSummary
from lamo_core.untrusted.regular_file import RUN_FILE
from lamo_tui.dashboard import run_actions
from lamo_tui.keys.bindings import bindings_of, with_keys
from lamo_tui.screens.dialogs import Passage
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.screens.run import run_panels
from lamo_tui.screens.run.chart_actions import ChartedScreen
from lamo_tui.screens.run.chart_grid import ChartGrid
from lamo_tui.screens.run.run_log import FILTERS, LogView, nearest
from lamo_tui.state.snapshot import RunData, Snapshot
from lamo_tui.widgets.words import Static, entitle

_LISTS = ("events", "log", "settings")
_NEW_SECONDS = 10.0
_PANELS = ("charts", *_LISTS, "system")


class RunScreen(ChartedScreen):
    """The run that was opened."""

    PLACE = "run"
    BINDINGS = bindings_of("run")
    AUTO_FOCUS = "ChartGrid"

    def __init__(self) -> None:
        super().__init__()
        self.panel = "events"
        self._aside = ""
        """The panel that gave way to the charts; the key for the next panel brings it back."""
        self._small = False
        self.full_config = False
        self.log_view = LogView()
        self._shown: tuple[object, ...] = ()

    def compose_body(self) -> ComposeResult:
        """Head; charts and system side by side; below them the list that was chosen."""
        yield Static(id="run-head")
        with Horizontal(id="upper"):
            yield ChartGrid(id="charts")
            yield Static(id="side", classes="panel")
        yield Static(id="panel-tabs")
        with Vertical(id="lower"):
            yield Rows(id="panel-list", follow=True)
            yield Static(id="panel-system")
            with Horizontal(id="search-line"):
                yield Static(" search ")
                yield Input(placeholder="text in the log", compact=True)

    def on_mount(self) -> None:
        """Start with the charts."""
        self.query_one("#panel-tabs").auto_links = False
        view = self.lamo.view
        self.grid.look_as(view)
        self.log_view.shown = view.log_shown if view.log_shown in FILTERS else self.log_view.shown
        entitle(self.query_one("#side"), "system")
        self.panel = view.panel if view.panel in self.panels else "events"
        self._arrange()

    # what is shown

    @property
    def one_panel(self) -> bool:
        """Whether there is room for one panel only."""
        return self.size.width < 100 or self.size.height < 32

    @property
    def panels(self) -> list[str]:
        """The panels that the tab key goes through, at this size."""
        if self.one_panel:
            return list(_PANELS)
        return list(_LISTS) if self.size.width >= 160 else [*_LISTS, "system"]

    def _choose_panel(self) -> None:
        """Where there begins to be room for one panel only, the charts come first, unless a list has the keys."""
        small, before = self.one_panel, self._small
        self._small = small
        if small and not before and self.panel != "charts" and not self.query_one("#panel-list").has_focus:
            self._aside, self.panel = self.panel, "charts"
        elif not small and self.panel not in self.panels:
            self.panel = self._aside if self._aside in self.panels else "events"

    def _arrange(self) -> None:
        """Show the panels that there is room for."""
        self._choose_panel()
        charts = not self.one_panel or self.panel == "charts"
        lower = not self.one_panel or self.panel != "charts"
        self.query_one("#upper").display = charts
        self.query_one("#side").display = not self.one_panel and self.size.width >= 160
        area = self.query_one("#lower")
        area.display = lower
        area.styles.height = "1fr" if self.one_panel else max(8, self.size.height // 4)
        self.query_one("#panel-list").display = self.panel in _LISTS
        self.query_one("#panel-system").display = self.panel == "system"
        if self.panel != "log":
            self.query_one("#search-line").remove_class("shown")
        self.grid.one = self.one_panel
        self._shown = ()

    def on_resize(self, event: events.Resize) -> None:
        """Arrange anew."""
        if self.is_mounted:
            self._arrange()
            self.call_after_refresh(self.show_snapshot, self.lamo.snapshot)

    def run_summary(self) -> RunSummary | None:
        """Return the opened run."""
        return self.lamo.snapshot.run(self.lamo.opened) if self.lamo.opened else None

    def targets(self) -> list[RunSummary]:
        """Return the opened run, which actions apply to."""
        run = self.run_summary()
        return [run] if run is not None else []

    def data(self) -> RunData | None:
        """Return what was read of it."""
        return self.lamo.snapshot.watched.get(self.lamo.opened or "")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new of the run."""
        if self.lamo.opened is not None and self.lamo.store.watch([self.lamo.opened]):
            self.lamo.wake()
        run, data = self.run_summary(), self.data()
        if run is None:
            self._show_nothing(snapshot)
            return
        width = max(20, self.size.width - 2)
        self._say_head(run_panels.head(run, data, width, self.colours))
        self.grid.show(data, self.colours)
        if self.query_one("#side").display:
            self.say("#side", run_panels.system_text(run, data, snapshot.system, 48, self.colours))
        self._show_panel(run, data, snapshot)
        self._show_tabs(data)

    def _show_nothing(self, snapshot: Snapshot) -> None:
        """Leave nothing on the screen of a run that is not there."""
        self._say_head(self._nothing(snapshot))
        self.grid.show(None, self.colours)
        rows, self._shown = self.query_one("#panel-list", Rows), ()
        rows.empty = ""
        rows.set_rows([])
        for place in ("#side", "#panel-system"):
            self.say(place, Text())
        self._show_tabs(None)

    def _say_head(self, text: Text) -> None:
        self.say("#run-head", text)
        lines = max(3, text.plain.count("\n") + 1)
        if self.query_one("#run-head").styles.height != Scalar.parse(str(lines)):  # to set it lays everything out anew
            self.query_one("#run-head").styles.height = lines

    def _show_tabs(self, data: RunData | None) -> None:
        """Name the panels, and say how what is in view is drawn."""
        note, alerts = "", len(data.alerts) if data is not None else 0
        if self.query_one("#upper").display:
            note = self.grid.describe(self.size.width - run_panels.tabs_width(self.panels, alerts))
        if self.panel == "log":
            rows = self.query_one("#panel-list", Rows)
            note = self.log_view.note(len(rows.rows), data, rows.follows)
        tabs = run_panels.tabs(self.panels, self.panel, alerts, note, self.size.width, self.colours)
        self.say("#panel-tabs", tabs)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Say whether the log is followed now."""
        self._show_tabs(self.data())

    def _nothing(self, snapshot: Snapshot) -> Text:
        if not snapshot.listed or snapshot.unread:
            return Text("looking for runs…", self.colours.dim)
        if self.lamo.opened is None:
            words = "no run is open: press <app.runs> for the list, <app.new> for a new run"
            return Text(with_keys(words, self.keymap), self.colours.dim)
        if _is_new(snapshot.root / self.lamo.opened, snapshot.time):
            return Text(f"opening {self.lamo.opened}…", self.colours.dim)
        way = with_keys("press <app.runs> for the list", self.keymap)
        return Text(f"{self.lamo.opened} is not in {snapshot.root} any more: {way}", self.colours.warn)

    def _show_panel(self, run: RunSummary, data: RunData | None, snapshot: Snapshot) -> None:
        if self.panel == "system":
            text = run_panels.system_text(run, data, snapshot.system, self.size.width - 2, self.colours)
            self.say("#panel-system", text, grows=True)
            return
        if self.panel not in _LISTS or data is None:
            return
        log = (self.log_view.search, self.log_view.shown)
        shown = (self.panel, run.id, data.version, run.state, self.full_config, log, self.colours)
        if shown == self._shown:
            return
        panel = self.query_one("#panel-list", Rows)
        panel.cursor_style = Style(bgcolor=self.colours.cursor)
        again, self._shown = self._shown[:2] == shown[:2], shown
        empty = {"log": self.log_view.empty(), "events": "  nothing has happened yet"}
        panel.empty = empty.get(self.panel, "  all default")
        panel.set_rows(self._panel_rows(run, data))
        if not again:
            panel.action_edge(0 if self.panel == "settings" else 1)

    def _panel_rows(self, run: RunSummary, data: RunData) -> list[Row]:
        if self.panel == "events":
            return run_panels.event_rows(run, data, self.keymap, self.colours)
        if self.panel == "settings":
            return run_panels.setting_rows(data, self.full_config, self.colours)
        return self.log_view.rows(data, self.colours)

    # what keys do

    def action_panel(self, by: int) -> None:
        """Show the next or the previous panel."""
        names = self.panels
        at = names.index(self.panel) if self.panel in names else 0
        first = self._aside if self.panel == "charts" else ""
        self.action_show_panel(first or names[(at + by) % len(names)])

    def action_show_panel(self, name: str) -> None:
        """Show a panel and give it the keys."""
        self.panel, self._aside = name, ""
        self.lamo.remember(panel=name, log_shown=self.log_view.shown)
        self._arrange()
        self.show_snapshot(self.lamo.snapshot)
        self.set_focus(self.query_one("#panel-list", Rows) if name in _LISTS else self.grid)

    def action_back(self) -> None:
        """End the search, or the single chart, or go back to the list."""
        line = self.query_one("#search-line")
        if line.has_class("shown"):
            self.query_one(Input).value = ""
            line.remove_class("shown")
            self.set_focus(self.query_one("#panel-list", Rows))
        elif self.grid.maximised:
            self.grid.toggle_maximised()
        else:
            self.lamo.action_mode("runs")

    def action_maximise(self) -> None:
        """Show the chosen chart alone, or all; in a list, the line under the cursor whole."""
        if self.query_one("#panel-list").has_focus:
            self._show_line()
        else:
            super().action_maximise()

    def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """Show a line whole by a double click."""
        self._show_line()

    def _show_line(self) -> None:
        data, rows = self.data(), self.query_one("#panel-list", Rows)
        if data is None or rows.key is None:
            return
        if self.panel == "log":
            title, text = f"line {int(rows.key) + 1:,} of the log", data.log[int(rows.key)]
        elif self.panel == "settings":
            title, text = rows.key, run_panels.setting_whole(data, rows.key)
        else:
            title, text = "what happened", rows.rows[rows.at].draw(self.size.width).plain.strip()
        self.app.push_screen(Passage(title, text))

    def action_chart(self, by: int) -> None:
        """Choose the next chart."""
        if self.one_panel and self.panel != "charts":
            self.action_show_panel("charts")
        self.grid.choose(by)

    def action_command(self, name: CommandName) -> None:
        """Ask for a checkpoint or an evaluation."""
        self.steer(partial(run_actions.ask, command=name))

    def action_search(self) -> None:
        """Search the log."""
        self.action_show_panel("log")
        self.query_one("#search-line").add_class("shown")
        self.set_focus(self.query_one(Input))  # now, as `focus()` would come behind letters typed at once

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show only lines with the text."""
        self.log_view.search = event.value
        self.show_snapshot(self.lamo.snapshot)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to what was found."""
        if not event.value:
            self.query_one("#search-line").remove_class("shown")
        self.set_focus(self.query_one("#panel-list", Rows))

    def action_level(self) -> None:
        """Show the log, or another part of it; the cursor stays at its line, or the next one that is shown."""
        rows, before = self.query_one("#panel-list", Rows), self.panel
        here, follows = rows.key, rows.follows
        if before == "log":
            self.log_view.next_filter()
        self.action_show_panel("log")
        if before == "log" and not follows:
            rows.go(nearest(rows.rows, here))

    def action_full_config(self) -> None:
        """Show all settings, or only those that are not default."""
        self.full_config = not self.full_config
        self.action_show_panel("settings")


def _is_new(run: Path, now: float) -> bool:
    """Say whether a run was made a moment ago, so that the next look at the folder finds it."""
    try:
        return now - (run / RUN_FILE).stat().st_mtime < _NEW_SECONDS
    except OSError:
        return False
