"""The stage of the Replay screen: it opens episodes, hears what the player says, and draws it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.widgets import Static

from lamo_core.player.protocol import Header
from lamo_tui.bindings import hint
from lamo_tui.controls import HeldKeys
from lamo_tui.episode_state import EpisodeState
from lamo_tui.pace import Pace
from lamo_tui.player_link import Hear, Link
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.replay_courses import course_of, marks_of, outlook_of, outlook_title
from lamo_tui.screens.replay_side import ReplaySide, entitle, head_text
from lamo_tui.screens.replay_words import at_work, has_ended, not_opened, nothing_yet
from lamo_tui.store import Snapshot
from lamo_tui.text import figure
from lamo_tui.widgets.pixel_view import PixelView
from lamo_tui.widgets.timeline import Timeline

ATARI_PIXEL = 1.3
"""An Atari pixel's width over its height here: between square and the 1.8 of a television."""


@dataclass
class Request:
    """What is to be played, and how; None leaves it to the source."""

    source: str
    options: dict[str, Any] = field(default_factory=dict)
    """Seed, target, context and action, as the player's `open` takes them."""
    play: bool = True
    beside: str | None = None
    """Played beside it, with the same seed."""


class Heard(Message):
    """The player said something."""


class ReplayStage(LamoScreen):
    """Shows one episode, or two of the same seed side by side; the keys are `ReplayScreen`'s."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[EpisodeState] = []
        self.side = 0
        """The episode that targets, branches and controls apply to."""
        self.playing, self.speed = False, 1.0
        self.look = (0, 0)
        """Layer and head whose attention is shown, from 1 on; 0 is all of them."""
        self.busy = ""
        self._since = 0.0
        """Since when it is busy."""
        self.link: Link | None = None
        self.pace = Pace()
        self.keys: HeldKeys | None = None
        self.request: Request | None = None
        self.error: Header | None = None
        """The newest error."""
        self.clock: Callable[[], float] = time.monotonic
        self._heard: deque[tuple[Header, bytes, float]] = deque()
        self._resume = False

    def compose_body(self) -> ComposeResult:
        """Head; frames, panels and timeline in a grid that each size arranges."""
        yield Static(id="replay-head")
        with Container(id="replay-grid"):
            yield PixelView(id="frame-0")
            yield PixelView(id="frame-1")
            keys = hint(("replay.next-layer", "replay.next-head"), self.keymap)
            yield ReplaySide(id="side-0", hint=keys)
            yield ReplaySide(id="side-1", hint=keys)
            with Horizontal(id="timelines"):
                yield Timeline(id="timeline")
                yield Timeline(id="outlook")

    def on_mount(self) -> None:
        """Say what may be done while nothing is open."""
        self.query(Timeline).add_class("panel")
        self.query_one("#timeline").border_title = "return"
        self._nothing()

    def _nothing(self) -> None:
        self._take_states([])
        self._say(nothing_yet(self.keymap))
        self._draw_head()

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

    # opening and closing

    def open(self, request: Request, side: int = 0) -> None:
        """Open something as the first or the second episode."""
        if self.link is None:
            self.link = self.lamo.new_player(self.hear)
            self.link.send("play", start=False, fps=self.pace.fps, speed=self.speed)
            self.link.send("look", layer=self.look[0], head=self.look[1])
        self.request = request if side == 0 else self.request
        self._work_on("opening")
        if not self.states:
            for view in self.query(PixelView):
                view.show(None)
        self.link.send("open", source=request.source, side=side, **request.options)
        if side == 0 and request.beside is not None:
            self.link.send("open", source=request.beside, side=1)
        if request.play:
            self.link.send("play", start=True)

    def close(self) -> None:
        """End the player."""
        if self.link is not None:
            self.link.close()
            self.link = None
        self._take_states([])
        self.playing, self.busy = False, ""

    def on_unmount(self) -> None:
        """End the player with the screen."""
        self.close()

    # what the player says

    def hear(self, header: Header, payload: bytes) -> None:
        """Take in a message; called in any thread. Frames that came meanwhile are skipped, never queued."""
        waiting = bool(self._heard)
        self._heard.append((header, payload, self.clock()))
        if not waiting:
            self.post_message(Heard())

    def on_heard(self) -> None:
        """Work through what was said; of each episode only the newest picture is drawn."""
        pictures: dict[int, tuple[Header, bytes]] = {}
        arrived = 0.0
        while self._heard:
            header, payload, arrived = self._heard.popleft()
            if header["kind"] == "frame":
                self._take_frame(header)
                pictures[header["side"]] = (header, payload)
            else:
                self._take(header)
        if pictures and self.is_mounted:
            self._draw(pictures)
            if self.playing:
                self.call_after_refresh(self._note_pace, arrived)

    def _take_frame(self, header: Header) -> None:
        if header["side"] < len(self.states):
            self.states[header["side"]].take(header)
        self.playing, self.speed = header["playing"], header["speed"]
        self.busy = ""

    def _take(self, header: Header) -> None:
        kind = header["kind"]
        if kind == "opened":
            self._take_opened(header)
        elif kind == "branched":
            self.states[header["side"]].branched()
        elif kind == "busy":
            done = f" {100 * header['done'] // header['total']} %" if header["total"] else ""
            self._work_on(header["text"] + done)
        elif kind in ("error", "gone"):
            self._take_error(header)
        elif kind == "saved":
            self.notify(f"wrote {header['path']} ({header['bytes']:,} bytes)", timeout=6, markup=False)
            self.busy = ""
            self._draw_head()
        elif kind == "note":
            self.notify(header["text"], timeout=5, markup=False)

    def _take_opened(self, header: Header) -> None:
        side = header["side"]
        self._take_states([*self.states[:side], EpisodeState(header)])
        self.side = min(self.side, side)
        if side == 0:
            self.keys = HeldKeys(header["actions"], discrete=header["discrete"], clock=lambda: self.clock())
        view = self.query_one(f"#frame-{side}", PixelView)
        view.pixel_aspect = ATARI_PIXEL if header["frames"] else 1.0
        view.bits = 8 if header["frames"] else 5
        view.change(graphics=self.lamo.graphics, covered=self.app.screen is not self)

    def _take_error(self, header: Header) -> None:
        self.notify(header["text"], severity="error", timeout=10, markup=False)
        self.busy, self.error = "", header
        note = "" if self.states else not_opened(self.keymap)
        if header["kind"] == "gone":
            self.close()
            note = has_ended(self.keymap)
        self._say(note)
        if not self.states:
            for view in self.query(PixelView):
                view.show(None)
        self._draw_head()

    # drawing

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
            meaning = marks_of([state for state, _ in pairs])
            if past.border_subtitle != meaning:
                past.border_subtitle = meaning
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
        rate = f"{view.fps:.0f} fps {view.frame_bytes / 1000:.1f} kB" if measured else ""
        head.update(head_text(self.states, self.playing, self.speed, self.side, rate, width, self.colours))

    def _note_pace(self, arrived: float) -> None:
        now = self.clock()
        if self.pace.note(now - arrived, now) and self.link is not None:
            self.link.send("play", start=False, fps=self.pace.fps)
            self.notify(f"this terminal takes about {self.pace.fps:.0f} frames a second", timeout=4)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """The runs folder has no news for an episode; time goes on, though."""
        if self.busy:
            self._draw_busy()

    def recolour(self) -> None:
        """Draw in other colours."""
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

    def on_screen_suspend(self) -> None:
        """Stand still while another screen is in view; under a window the frame is drawn without pixels."""
        if self.lamo.current_mode != "replay":
            self._resume = self.playing
            self.tell("pause")
        self._cover_stage(True)

    def on_screen_resume(self) -> None:
        """Go on."""
        super().on_screen_resume()
        self._cover_stage(False)
        if self._resume:
            self._resume = False
            self.tell("play")
        request, self.lamo.replay = self.lamo.replay, None
        if request is not None:
            self.open(request)

    def _cover_stage(self, covered: bool) -> None:
        for view in self.query(PixelView):
            view.change(graphics=self.lamo.graphics, covered=covered)

    def tell(self, do: str, **values: Any) -> None:
        """Give the player a command; without one there is nobody to tell."""
        if self.link is not None:
            self.link.send(do, **values)


NewPlayer = Callable[[Hear], Link]
