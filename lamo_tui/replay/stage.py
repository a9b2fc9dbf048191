"""The stage of the Replay screen: it opens episodes, hears what the player says, and draws it."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from textual.message import Message

from lamo_core.errors import LamoError
from lamo_core.player.sources import source_of_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.wording import counted
from lamo_core.workers.messages import Header
from lamo_tui.replay.canvas import ReplayCanvas
from lamo_tui.replay.empty_states import has_ended, not_opened, nothing_yet
from lamo_tui.replay.episode_state import EpisodeState
from lamo_tui.replay.frame_rate import Pace
from lamo_tui.replay.held_keys import HeldKeys
from lamo_tui.replay.player_client import Link
from lamo_tui.replay.request import Request
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.widgets.pixel_view import PixelView
from lamo_tui.widgets.timeline import Timeline
from lamo_tui.widgets.words import entitle

ATARI_PIXEL = 1.3
"""An Atari pixel's width over its height here: between square and the 1.8 of a television."""


class Heard(Message):
    """The player said something."""


class ReplayStage(ReplayCanvas):
    """Plays one episode, or two of the same seed side by side; the keys are `ReplayScreen`'s."""

    def __init__(self) -> None:
        super().__init__()
        self.look = (0, 0)
        """Layer and head whose attention is shown, from 1 on; 0 is all of them."""
        self.link: Link | None = None
        self.pace = Pace()
        self.request: Request | None = None
        self.error: Header | None = None
        """The newest error."""
        self._heard: deque[tuple[Header, bytes, float]] = deque()
        self._resume = False

    def on_mount(self) -> None:
        """Say what may be done while nothing is open."""
        self.query(Timeline).add_class("panel")
        entitle(self.query_one("#timeline"), "return")
        self._nothing()

    def _nothing(self) -> None:
        self._take_states([])
        self._say(nothing_yet(self.keymap))
        self._draw_head()
        self.tidy_keys()

    @property
    def chosen(self) -> EpisodeState | None:
        """The episode that targets, branches and controls apply to."""
        return self.states[self.side] if self.side < len(self.states) else None

    def run_of_source(self) -> RunDirectory | None:
        """Return the run that the first episode's file lies in."""
        if not self.states:
            return RunDirectory(self.lamo.root / self.lamo.opened) if self.lamo.opened else None
        folder = Path(self.states[0].about["source"]).resolve().parents[1]
        return RunDirectory(folder) if (folder / "run.json").is_file() else None

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
        self.link.send("open", source=request.source, side=side, preview=request.preview, **request.options)
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
            self.notify(f"wrote {header['path']} ({counted(header['bytes'], 'byte')})", timeout=6)
            self.busy = ""
            self._draw_head()
        elif kind == "note":
            self.notify(header["text"], timeout=5)

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
        self.tidy_keys()

    def _take_error(self, header: Header) -> None:
        self.notify(header["text"], severity="error", timeout=10)
        self.busy, self.error = "", header
        if header.get("do") == "play":  # the player stands still then, and has no picture to say so with
            self.playing = False
        note = "" if self.states else not_opened(self.keymap)
        if header["kind"] == "gone":
            self.close()
            note = has_ended(self.keymap)
        self._say(note)
        if not self.states:
            for view in self.query(PixelView):
                view.show(None)
        self._draw_head()

    def _note_pace(self, arrived: float) -> None:
        now = self.clock()
        if self.pace.note(now - arrived, now) and self.link is not None:
            self.link.send("play", start=False, fps=self.pace.fps)
            self.slow_terminal = f"{self.pace.fps:.0f} fps at most"

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """The runs folder has no news for an episode; time goes on, though."""
        if self.busy:
            self._draw_busy()

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
        if request is None and not self.states and self.link is None:
            request = self._opened_run()
        if request is not None:
            self.open(request)

    def _opened_run(self) -> Request | None:
        """Return what there is to play of the run that is open; None where there is none, or nothing yet."""
        if self.lamo.opened is None:
            return None
        try:
            return Request(str(source_of_run(RunDirectory(self.lamo.root / self.lamo.opened))), preview=True)
        except LamoError:
            return None

    def _cover_stage(self, covered: bool) -> None:
        for view in self.query(PixelView):
            view.change(graphics=self.lamo.graphics, covered=covered)

    def tell(self, do: str, **values: Any) -> None:
        """Give the player a command; without one there is nobody to tell."""
        if self.link is not None:
            self.link.send(do, **values)
