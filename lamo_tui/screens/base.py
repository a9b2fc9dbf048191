"""What all screens share: the line on top, the key bar, and how they hear of news."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widget import Widget

from lamo_core.wording import counted
from lamo_tui.dashboard.api import Dashboard, dashboard
from lamo_tui.format import clock_time
from lamo_tui.keys.bindings import KEYS, keys_of
from lamo_tui.keys.table import PLACES, Key
from lamo_tui.resilience import ResilientWidget
from lamo_tui.screens.too_small import TooSmall, fits
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.themes import LETTERS, Palette
from lamo_tui.widgets.words import Static

if TYPE_CHECKING:
    from lamo_tui.screens.run.grid_chart import GridChart

_TABS = {
    "runs": "Runs",
    "run": "Run",
    "new": "New run",
    "data": "Data",
    "replay": "Replay",
    "matrix": "Matrix",
    "settings": "Settings",
    "help": "Help",
}
_ALL_TABS = 140
"""Columns from which on screens that are seldom needed are named, too."""


class TopBar(ResilientWidget, Widget):
    """One line: the name, the screens, and how many runs work."""

    auto_links = False
    DEFAULT_CSS = "TopBar { height: 1; dock: top; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._line = Text()
        self._counted: tuple[object, Counter[str]] = ((), Counter())

    def show(self) -> None:
        """Draw the line anew if it says something else now."""
        if self.size.width and self._draw() != self._line:
            self.refresh()

    def render(self) -> Text:
        """Draw the line."""
        self._line = self._draw()
        return self._line

    def _draw(self) -> Text:
        app = dashboard(self.app)
        colours, width = app.colours, self.size.width
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(" lamo ", Style(bold=True, color=colours.primary))
        for mode, title in _TABS.items():
            here = mode == app.current_mode
            if mode == "settings" and not here and width < _ALL_TABS:
                continue
            names = keys_of(KEYS[f"app.{mode}"], app.settings.keymap)
            key = next((name for name in names if name.isdigit()), names[0])
            title = title if width >= 100 else title.removesuffix(" run")
            style = Style(bold=True, reverse=True, color=colours.primary) if here else Style()
            line.append(" ")
            jump = Style(meta={"@click": f"app.mode('{mode}')"})
            line.append(f" {key} " if here else f"{key} ", Style(color=None if here else colours.dim) + style + jump)
            line.append(f"{title} " if here else title, style + jump)
        right = self._right(app.snapshot, app)
        gap = width - line.cell_len - right.cell_len - 1
        if gap >= 1:
            line.append(" " * gap).append_text(right)
        return line

    def _right(self, snapshot: Snapshot, app: Dashboard) -> Text:
        colours, text = app.colours, Text()
        if self._counted[0] is not snapshot.runs:
            self._counted = (snapshot.runs, Counter(run.state for run in snapshot.runs))
        for state in ("running", "stalled", "paused"):
            count = self._counted[1][state]
            if count:
                shown = f"{count} {state}  " if self.size.width >= 100 else f"{count}{LETTERS[state]} "
                text.append(shown, colours.state(state))
        text.append(_count(snapshot), colours.dim)
        stats = snapshot.system
        if stats.cpu is not None and self.size.width >= 100:
            gpu = f"GPU {stats.gpus[0].load:.0f}%" if stats.gpus and stats.gpus[0].load is not None else stats.gpu_note
            text.append(f"  cpu {stats.cpu:3.0f}%  {gpu}", colours.dim)
        if snapshot.listed and self.size.width >= 90:
            text.append(clock_time(snapshot.time, "  %H:%M"), colours.dim)
        return text


def _count(snapshot: Snapshot) -> str:
    if not snapshot.listed:
        return "looking for runs"
    count, every = len(snapshot.runs), len(snapshot.runs) + snapshot.unread
    if count < every:
        return f"{count:,} of {counted(every, 'run')}"
    return f"{count:,} {'run' if count == 1 else 'runs'}"


class KeyBar(ResilientWidget, Widget):
    """One line with the most important keys of the screen; they can be clicked."""

    auto_links = False
    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; }"

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place
        self._useless: frozenset[str] = frozenset()

    def leave_out(self, ids: frozenset[str]) -> None:
        """Show no keys that can do nothing now, by their ids."""
        if ids != self._useless:
            self._useless = ids
            self.refresh()

    def render(self) -> Text:
        """Draw as many keys as fit, in the order of their rank."""
        app = dashboard(self.app)
        here = f"app.{self._place}"  # the key that leads to this very screen
        useless = {here, *self._useless}
        keys = [key for key in (*PLACES[self._place][1], *PLACES["app"][1]) if key.bar and key.id not in useless]
        keys.sort(key=lambda key: key.bar)
        # help and leaving must always be there, so they are placed first and shown last
        last = [part for key in keys if key.id in ("app.help", "app.quit") for part in [self._part(key, app)]]
        room = self.size.width - sum(part.cell_len for part in last) - 1
        line = Text(" ", no_wrap=True)
        for key in keys:
            part = self._part(key, app)
            if key.id not in ("app.help", "app.quit") and line.cell_len + part.cell_len <= room:
                line.append_text(part)
        for part in last:
            line.append_text(part)
        return line

    def _part(self, key: Key, app: Dashboard) -> Text:
        names = keys_of(key, app.settings.keymap)
        if key.id.startswith("app."):  # a key of the screen itself comes first
            own = {name for other in PLACES[self._place][1] for name in keys_of(other, app.settings.keymap)}
            names = [name for name in names if self._place == "app" or name not in own] or names
        scope = "app" if key.id.startswith("app.") else "screen"
        click = Style(
            meta={"@click": f"{scope}.{key.action}"} if "(" in key.action else {"@click": f"{scope}.{key.action}()"}
        )
        part = Text()
        part.append(names[0], Style(bold=True, color=app.colours.primary) + click)
        return part.append(f" {key.label}  ", Style(color=app.colours.dim) + click)


class LamoScreen(ResilientWidget, Screen[None]):
    """A screen between top line and key bar that is told about every snapshot."""

    PLACE: ClassVar[str] = "app"

    def __init__(self) -> None:
        super().__init__()
        self._dress: tuple[object, ...] | None = None

    def compose(self) -> ComposeResult:
        """Put the body between the two lines."""
        yield TopBar()
        with Container(id="body"):
            yield from self.compose_body()
        yield TooSmall()
        yield KeyBar(self.PLACE)

    def on_resize(self, event: events.Resize) -> None:
        """Give way to a sentence where there is no room."""
        room = fits(event.size.width, event.size.height)
        for place, shown in (("#body", room), ("TooSmall", not room)):
            part = self.query_one(place)
            if part.display != shown:  # to set it lays everything out anew
                part.display = shown

    def compose_body(self) -> ComposeResult:
        """Yield what the screen shows."""
        raise NotImplementedError

    @property
    def lamo(self) -> Dashboard:
        """The application as screens see it."""
        return dashboard(self.app)

    @property
    def colours(self) -> Palette:
        """The theme's colours."""
        return self.lamo.colours

    @property
    def keymap(self) -> Mapping[str, str]:
        """Keys that the user has moved."""
        return self.lamo.settings.keymap

    def update(self, snapshot: Snapshot) -> None:
        """Show a snapshot; called for every tick while the screen is in view."""
        self.query_one(TopBar).show()
        self.show_snapshot(snapshot)
        self.tidy_keys()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new in the snapshot."""

    def useless_keys(self) -> frozenset[str]:
        """Return the ids of keys that can do nothing now, which the key bar leaves out."""
        return frozenset()

    def tidy_keys(self) -> None:
        """Leave out of the key bar what can do nothing now."""
        self.query_one(KeyBar).leave_out(self.useless_keys())

    def say(self, place: str, text: Text, *, grows: bool = False) -> None:
        """Put another text into the `Static` at a place; `grows` where its height is that of the text."""
        static = self.query_one(place, Static)
        if static.content != text:
            static.update(text, layout=grows)

    def recolour(self) -> None:
        """Draw again in other colours."""
        self.refresh(layout=False)

    def dress(self) -> None:
        """Draw everything anew if colours, characters or keys are not those that it was drawn with."""
        worn, self._dress = self._dress, (self.colours, dict(self.keymap), self.lamo.ascii)
        if worn is None or worn == self._dress:
            return
        self.take_marker()
        # parts are not there while it is being built or taken away; then it is drawn when it is ready
        with contextlib.suppress(NoMatches):
            self.recolour()
            self.update(self.lamo.snapshot)
        for part in self.query("*"):
            part.refresh()

    def on_screen_resume(self) -> None:
        """Show the newest state when the screen comes into view."""
        if self.is_mounted:
            self.dress()
            self.take_marker()
            self.update(self.lamo.snapshot)

    def take_marker(self) -> None:
        """Draw curves with the marker that was chosen last, on whichever screen; under `--ascii` with letters."""
        marker = "ascii" if self.lamo.ascii else self.lamo.view.marker
        # by name, as the list of runs should not wait for what draws curves
        for plotted in self.query("GridChart, Timeline"):
            plotted.take_marker(marker)  # type: ignore[attr-defined]

    def on_grid_chart_marker_changed(self, message: GridChart.MarkerChanged) -> None:
        """Draw all curves like the chart in which the key was pressed, and remember it."""
        if self.lamo.ascii:
            self.notify("only letters are drawn here: it was started with --ascii, or so the settings say", timeout=3)
        else:
            self.lamo.remember(marker=message.marker)
        self.take_marker()
