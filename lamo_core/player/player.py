"""The player: one episode or two side by side, a clock, and commands from whoever looks.

It does what it is told and answers with messages; it knows nothing of pipes. Frames are sent only as often as the
looker can show them: decisions that come faster are played, not shown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lamo_core.errors import UsageError
from lamo_core.player.episode_export import save_episode
from lamo_core.player.messages import Told, error_header, frame_header, opened_header
from lamo_core.player.policy_loading import WAKE, PolicyLoading, open_record
from lamo_core.player.sources import Opened, Opener, Wanted, find_source, wanted_of
from lamo_core.workers.messages import Header

Send = Callable[[Header, bytes], None]

_SCAN_SECONDS, _SCAN_DECISIONS = 2.0, 64
_BEHIND = 0.25
"""Seconds of lateness that are caught up with; what is beyond is let go."""
_LEAST_SPEED, _MOST_SPEED = 0.05, 64.0


@dataclass
class Side:
    """One of the episodes, and how much of it was told."""

    opened: Opened
    sent: Told = field(default_factory=Told)
    held: Any = None
    """What a person holds; None is the task's rest."""

    def action(self) -> Any:
        """Return what a person who holds this does."""
        task = self.opened.episode.task
        if self.held is not None:
            return self.held
        if task.action_kind == "continuous":
            return [0.0] * task.actions
        return task.action_names.index("noop") if "noop" in task.action_names else 0


class Player:
    """Obeys commands and plays when it is time; errors become messages."""

    def __init__(self, send: Send, opener: Opener | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.sides: list[Side] = []
        self.playing = False
        self.speed, self.fps = 1.0, 60.0
        self.look = (0, 0)  # layer and head whose attention is told
        self._send, self._clock = send, clock
        self._opener = opener or Opener()
        self._due = self._shown = -math.inf
        self.loading: PolicyLoading | None = None
        """The policy of the first episode, whose record plays meanwhile."""

    # what is told

    def handle(self, command: Header) -> None:
        """Obey a command: `{"do": name, …}`."""
        name = str(command.get("do"))
        method = getattr(self, f"_do_{name}", None)
        try:
            if method is None:
                raise UsageError(f"the player knows no command {name!r}")
            method(command)
        except Exception as error:  # whatever one command meets must not end the player
            self._send(error_header(name, error), b"")

    def tick(self) -> float | None:
        """Do what is due; returns the seconds until more is, or None when nothing will be."""
        if self.loading is not None and self.loading.done:
            self._swap_in()
        wait = self._play_on()
        return wait if self.loading is None else min(WAKE, WAKE if wait is None else wait)

    def _play_on(self) -> float | None:
        if not self.playing or not self.sides:
            return None
        now = self._clock()
        if now < self._due:
            return self._due - now
        try:
            moved = [self._advance(side) for side in self.sides]
        except Exception as error:
            self.playing = False
            self._send(error_header("play", error), b"")
            return None
        if not any(moved):
            self.playing = False
            self._show()
            return None
        self._due = max(self._due, now - _BEHIND) + 1.0 / self._rate()
        if now - self._shown >= 0.999 / self.fps:
            self._show()
        return max(0.0, self._due - self._clock())

    def close(self) -> None:
        """Free the environments."""
        for side in self.sides:
            side.opened.episode.close()
        self.sides.clear()

    # commands: what is open

    def _do_open(self, command: Header) -> None:
        """Open `source` as side 0, or beside the first on the same seed as side 1.

        With `preview` the record of a checkpoint plays until its policy is loaded.
        """
        number = int(command.get("side", 0))
        if number not in (0, 1) or number > len(self.sides):
            raise UsageError("there is room for two episodes: open the first, then one beside it")
        self.playing = False
        wanted = wanted_of(command)
        if number == 1 and wanted.seed is None:
            wanted = replace(wanted, seed=self.sides[0].opened.episode.seed)
        if number == 1:
            self._await_policy()
        elif command.get("preview") and self._open_preview(str(command["source"]), wanted):
            return
        opened = self._opener.open(str(command["source"]), wanted, self._say)
        if number == 1:
            _check_alike(self.sides[0].opened, opened)
        self._put(number, opened)
        self._send(opened_header(number, opened), b"")
        if number == 1:
            self._seek(opened, self.sides[0].opened.episode.at)
        self._show()

    def _put(self, number: int, opened: Opened) -> None:
        """Let an episode take a place, and close those that were there."""
        if number == 0:
            self.loading = None
        for old in self.sides[number:]:
            old.opened.episode.close()
        self.sides[number:] = [Side(opened)]
        self._scan(opened)

    def _open_preview(self, source: str, wanted: Wanted) -> bool:
        """Show the record of a checkpoint while its policy is loaded; returns whether there is one."""
        path = find_source(source, self._opener.root)
        opened = open_record(path, lambda record: self._opener.open_record(record, wanted))
        if opened is None:
            return False
        opened.policy_at = path
        self._put(0, opened)
        self.loading = PolicyLoading(opened, path, lambda: self._opener.load(path, lambda text: None))
        self._send(opened_header(0, opened, loading=True), b"")
        self._show()
        return True

    def _await_policy(self) -> None:
        """Wait for the policy that is on its way, if one is."""
        if self.loading is not None:
            self._say("loading the policy")
            self._swap_in()

    def _swap_in(self) -> None:
        """Let the policy that was loaded play in the place of its record, from the playhead on."""
        loading, self.loading = self.loading, None
        if loading is None or not self.sides or self.sides[0].opened is not loading.opened:
            return
        side = self.sides[0]
        try:
            loaded = loading.result()
        except Exception as error:  # the record goes on playing
            side.opened.policy_at = None
            self._send(opened_header(0, side.opened), b"")
            side.sent = Told()
            self._show()
            self._send(error_header("open", error), b"")
            return
        side.opened = self._opener.go_live(side.opened, loading.path, loaded, self._say)
        side.sent = Told()
        self._send(opened_header(0, side.opened), b"")
        self._show()

    def _do_shut(self, command: Header) -> None:
        """Close the second episode."""
        for side in self.sides[1:]:
            side.opened.episode.close()
        del self.sides[1:]
        self._show()

    # commands: moving

    def _do_play(self, command: Header) -> None:
        """Play at `speed` times real time."""
        if "speed" in command:
            self.speed = min(_MOST_SPEED, max(_LEAST_SPEED, float(command["speed"])))
        if "fps" in command:
            self.fps = min(120.0, max(1.0, float(command["fps"])))
        if command.get("start", True):
            if all(side.opened.episode.over for side in self.sides):  # from the beginning again
                self._do_seek({"to": 0})
            self.playing = bool(self.sides)
            self._due = self._clock()
        self._show()

    def _do_pause(self, command: Header) -> None:
        """Stop where it is."""
        self.playing = False
        self._show()

    def _do_step(self, command: Header) -> None:
        """Go `by` decisions on or back; at the end of the track a step forward is a new decision."""
        self.playing = False
        by = int(command.get("by", 1))
        for side in self.sides:
            if by < 0:
                side.opened.episode.seek(side.opened.episode.at + by)
            for _ in range(max(0, by)):
                if not self._advance(side):
                    break
        self._show()

    def _do_seek(self, command: Header) -> None:
        """Put the playhead before decision `to`, as far as it was played."""
        for side in self.sides:
            side.opened.episode.seek(int(command["to"]))
        self._show()

    def _do_look(self, command: Header) -> None:
        """Tell the attention of `layer` and `head` from now on; they count from 1, and 0 is all of them."""
        self.look = (max(0, int(command.get("layer", 0))), max(0, int(command.get("head", 0))))
        self._show()

    # commands: changing what comes

    def _do_target(self, command: Header) -> None:
        """Ask for `value` from the playhead on."""
        value = float(command["value"])
        if not math.isfinite(value):
            raise UsageError("a return target is a finite number")
        side = self._side(command)
        self._with_somebody(side)
        self._cut(side, lambda: side.opened.episode.set_target(value))

    def _do_branch(self, command: Header) -> None:
        """Let the episode go on anew from the playhead."""
        side = self._side(command)
        self._with_somebody(side)
        self._cut(side, side.opened.episode.branch)

    def _do_swap(self, command: Header) -> None:
        """Go back to what was there before the last branching."""
        side = self._side(command)
        side.opened.episode.swap()
        self._cut(side, lambda: True)

    def _do_take(self, command: Header) -> None:
        """Give the controls to a person (`on`) or back to the policy."""
        side = self._side(command)
        episode, person = side.opened.episode, bool(command.get("on", True))
        if not person and (side.opened.policy_at is not None or episode.pilot is not None):
            self._with_policy(side)
        episode.person, side.held = person, None
        if person or episode.pilot is not None:
            self._cut(side, episode.branch if person else lambda: False)
        else:  # nobody takes over: back to the record
            self._cut(side, episode.go_back)

    def _do_hold(self, command: Header) -> None:
        """Hold `action` from now on; None rests."""
        side = self._side(command)
        side.held = command.get("action")
        if not self.playing:
            self._show()

    def _do_act(self, command: Header) -> None:
        """Take one decision with `action`."""
        side = self._side(command)
        side.opened.episode.advance(command.get("action"))
        self._show()

    # commands: keeping

    def _do_save(self, command: Header) -> None:
        """Write the episode so far to `path`, as its ending says."""
        side = self._side(command)
        path = Path(str(command["path"]))

        def progress(done: int, total: int) -> None:
            self._send({"kind": "busy", "text": f"writing {path.name}", "done": done, "total": total}, b"")

        save_episode(path, side.opened, progress)
        self._send({"kind": "saved", "path": str(path), "bytes": path.stat().st_size}, b"")

    # how it is done

    def _rate(self) -> float:
        return self.speed * self.sides[0].opened.episode.shown.pictures_per_second

    def _advance(self, side: Side) -> bool:
        episode = side.opened.episode
        if episode.person and episode.at_end:
            return episode.advance(side.action())
        return episode.advance()

    def _side(self, command: Header) -> Side:
        number = int(command.get("side", 0))
        if not 0 <= number < len(self.sides):
            raise UsageError("nothing is open there; open a run, a checkpoint or a replay first")
        return self.sides[number]

    def _with_somebody(self, side: Side) -> None:
        """Make sure that somebody can go on from the playhead."""
        if not side.opened.episode.person:
            self._with_policy(side)

    def _with_policy(self, side: Side) -> None:
        self._await_policy()
        if side.opened.episode.pilot is None:
            self._opener.add_policy(side.opened, self._say)
            side.sent = Told()  # what it predicts of the past is news
            if side.opened.policy_note:
                self._send({"kind": "note", "text": side.opened.policy_note}, b"")

    def _cut(self, side: Side, change: Callable[[], bool]) -> None:
        if change():
            side.sent = Told()
            self._send({"kind": "branched", "side": self.sides.index(side), "at": side.opened.episode.at}, b"")
        self._show()

    def _scan(self, opened: Opened) -> None:
        """Play through a record once, for its lives and its kept moments; a very long one only in part."""
        end = self._clock() + _SCAN_SECONDS
        total = len(opened.episode)
        while opened.episode.scan(_SCAN_DECISIONS) and self._clock() < end:
            done = len(opened.episode.track.lives)
            self._send({"kind": "busy", "text": "reading the episode", "done": done, "total": total}, b"")

    def _seek(self, opened: Opened, to: int) -> None:
        """Bring an episode that was opened later to where the first one is, if that takes no longer than a moment."""
        end = self._clock() + _SCAN_SECONDS
        opened.episode.seek(to)
        while opened.episode.at < to and self._clock() < end and opened.episode.advance():
            pass

    def _show(self) -> None:
        self._shown = self._clock()
        for number, side in enumerate(self.sides):
            episode = side.opened.episode
            header = frame_header(number, episode, side.sent, side.action(), self.look)
            side.sent = Told.all_of(episode.track)
            picture = episode.picture()
            header |= {"playing": self.playing, "speed": self.speed}
            header |= {"height": picture.shape[0], "width": picture.shape[1]}
            self._send(header, np.ascontiguousarray(picture).tobytes())

    def _say(self, text: str) -> None:
        self._send({"kind": "busy", "text": text, "done": 0, "total": 0}, b"")


def _check_alike(first: Opened, second: Opened) -> None:
    if first.episode.config.name != second.episode.config.name:
        second.episode.close()
        raise UsageError(
            f"side by side needs the same task: {first.episode.task.title} and {second.episode.task.title} differ"
        )
