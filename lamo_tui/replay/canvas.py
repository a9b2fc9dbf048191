"""What the Replay screen draws: head, frames, panels and timelines of one episode or two."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from lamo_core.workers.messages import Header
from lamo_tui.keys.bindings import hint
from lamo_tui.replay.empty_states import at_work
from lamo_tui.replay.episode_state import EpisodeState
from lamo_tui.replay.held_keys import HeldKeys
from lamo_tui.replay.panels import ReplaySide, head_text
from lamo_tui.replay.timelines import course_of, marks_of, outlook_of, outlook_title
from lamo_tui.screens.base import LamoScreen
from lamo_tui.text import figure
from lamo_tui.widgets.pixel_view import PixelView
from lamo_tui.widgets.timeline import Timeline
from lamo_tui.widgets.words import Static, entitle, subtitle


class ReplayCanvas(LamoScreen):
    """Draws the episodes in `states`, or a sentence where there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[EpisodeState] = []
        self.side = 0
        """The episode that targets, branches and controls apply to."""
        self.playing, self.speed = False, 1.0
        self.busy = self.slow_terminal = ""
        """What is being done; and how many frames a terminal takes that does not keep up."""
        self._since = 0.0
        """Since when it is busy."""
        self.keys: HeldKeys | None = None
        self.clock: Callable[[], float] = time.monotonic

    def compose_body(self) -> ComposeResult:
        """Head; frames, panels and timeline in a grid that each size arranges."""
        yield Static(id="replay-head")
        with Container(id="replay-grid"):
            yield PixelView(id="frame-0")
            yield PixelView(id="frame-1")
            yield ReplaySide(id="side-0", hint=self._hint())
            yield ReplaySide(id="side-1", hint=self._hint())
            with Horizontal(id="timelines"):
                yield Timeline(id="timeline")
                yield Timeline(id="outlook")

    def _hint(self) -> str:
        """Return the keys that choose layer and head."""
        return hint(("replay.next-layer", "replay.next-head"), self.keymap)

    def _say(self, note: str) -> None:
        for view in self.query(PixelView):
            view.say(note)

    def _take_states(self, states: list[EpisodeState]) -> None:
        """Show as many episodes; without one there is only room for a sentence."""
        self.states = states
        self.set_class(not states, "-empty")
        self.set_class(len(states) == 2, "-two")

    def _work_on(self, what: str) -> None:
        """Say what is being done, and how long it has taken when it takes long."""
        if not self.busy:
            self._since = self.clock()
        self.busy = what
        self._draw_busy()

    def _draw_busy(self) -> None:
        if self.is_mounted:
            text = at_work(self.busy, self.clock() - self._since)
            self._say(text)
            self.query_one("#replay-head", Static).update(f" {text}")

    def _draw(self, pictures: dict[int, tuple[Header, bytes]]) -> None:
        import numpy as np

        dimension = self.keys.dimension if self.keys is not None else 0
        for side, (header, payload) in pictures.items():
            if side >= len(self.states):
                continue
            shape = (header["height"], header["width"], 3)
            view = self.query_one(f"#frame-{side}", PixelView)
            view.show(np.frombuffer(payload, np.uint8).reshape(shape))
            name = f"{'AB'[side]} · " if len(self.states) == 2 else ""
            panel = self.query_one(f"#side-{side}", ReplaySide)
            if panel.display:
                panel.show(self.states[side], name, dimension)
        self._draw_timelines()
        self._draw_head()

    def _draw_timelines(self) -> None:
        if not self.states:
            return
        inks = ("accent",) if len(self.states) == 1 else self.colours.series[:2]
        pairs, chosen = list(zip(self.states, inks, strict=False)), self.states[self.side]
        past, outlook = self.query_one("#timeline", Timeline), self.query_one("#outlook", Timeline)
        if past.display:
            target = float(chosen.get("target", 0.0))
            entitle(past, f"return · {figure(target)} asked")
            past.show([course_of(state, ink) for state, ink in pairs], self.states[0].at, target)
            subtitle(past, marks_of([state for state, _ in pairs]))
        if outlook.display:
            entitle(outlook, outlook_title(chosen))
            outlook.show([outlook_of(state, ink) for state, ink in pairs], self.states[0].at, math.nan)

    def _draw_head(self) -> None:
        if not self.is_mounted:
            return
        head, width = self.query_one("#replay-head", Static), self.size.width
        if self.busy:
            self._draw_busy()
            return
        if not self.states:
            head.update(" nothing is open")
            return
        view = self.query_one("#frame-0", PixelView)
        measured = self.playing and view.fps >= 1 and width >= 100
        rate = f"{view.fps:.0f} fps {view.frame_bytes / 1000:.1f} kB" if measured else self.slow_terminal
        place = (self.states, self.playing, self.speed, self.side)
        head.update(head_text(*place, rate, width, self.keymap, self.colours))

    def recolour(self) -> None:
        """Draw in other colours; keys may be others, too."""
        for panel in self.query(".attention"):
            subtitle(panel, self._hint())
        self._redraw()

    def _redraw(self) -> None:
        for side, state in enumerate(self.states):
            if state.frame:
                panel = self.query_one(f"#side-{side}", ReplaySide)
                name = f"{'AB'[side]} · " if len(self.states) == 2 else ""
                panel.show(state, name, self.keys.dimension if self.keys is not None else 0)
        self._draw_timelines()
        self._draw_head()

    def on_resize(self, event: events.Resize) -> None:
        """Fit everything to the new size."""
        self.call_after_refresh(self._redraw)
