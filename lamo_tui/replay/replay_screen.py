"""Replay: an episode plays, live or recorded; what the policy was asked, thinks and does stands beside it."""

from __future__ import annotations

from typing import Any

from lamo_tui.keys.bindings import bindings_of
from lamo_tui.replay import actions
from lamo_tui.replay.held_keys import HOLD
from lamo_tui.replay.request import NewPlayer, Request
from lamo_tui.replay.stage import ReplayStage
from lamo_tui.screens.base import KeyBar, TopBar
from lamo_tui.widgets.timeline import Timeline

__all__ = ["NewPlayer", "ReplayScreen", "Request"]

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


_NEED_POLICY = frozenset({"replay.target", "replay.branch", "replay.next-layer"})
_NEED_EPISODE = frozenset(
    f"replay.{name}"
    for name in ("step", "left", "next-reward", "control", "beside", "save", "next-seed", "full", "outlook", "play")
)


class ReplayScreen(ReplayStage):
    """What the keys do while episodes play."""

    PLACE = "replay"
    BINDINGS = bindings_of("replay")
    CSS_PATH = "replay.tcss"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._held: Any = None

    @property
    def in_control(self) -> bool:
        """Whether a person plays."""
        return self.chosen is not None and bool(self.chosen.get("controls"))

    def useless_keys(self) -> frozenset[str]:
        """Return the keys that need a policy, where there is none, and those that need an episode."""
        if self.chosen is None:
            return _NEED_EPISODE | _NEED_POLICY
        return frozenset() if self.chosen.about["goes_on"] else _NEED_POLICY

    def action_play(self) -> None:
        """Play or pause; fires while a person plays."""
        if self.in_control:
            self.press("fire")
        else:
            self.action_pause()

    def action_pause(self) -> None:
        """Play or pause; where the player has ended, start it again."""
        if self.link is None and self.request is not None:
            self.open(self.request)
        else:
            self.tell("pause" if self.playing else "play")

    def action_step(self, by: int) -> None:
        """Go one decision on or back."""
        self.tell("step", by=by)

    def action_arrow(self, key: str) -> None:
        """Move the playhead or the target; steers while a person plays."""
        if self.in_control:
            self.press(key)
        elif key in ("left", "right"):
            self.action_scrub(-10 if key == "left" else 10)
        elif self.chosen is not None:
            actions.nudge_target(self, 1 if key == "up" else -1)

    def action_scrub(self, by: int) -> None:
        """Move the playhead."""
        if self.states:
            self.tell("seek", to=self.states[0].at + by)

    def action_edge(self, end: int) -> None:
        """Go to the beginning or the end."""
        if self.states:
            self.tell("seek", to=self.states[0].length if end else 0)

    def action_speed(self, by: int) -> None:
        """Play faster or slower."""
        near = min(range(len(SPEEDS)), key=lambda index: abs(SPEEDS[index] - self.speed))
        self.speed = SPEEDS[min(len(SPEEDS) - 1, max(0, near + by))]
        self.tell("play", start=False, speed=self.speed)

    def action_event(self, kind: str, direction: int) -> None:
        """Go to the next or the previous reward or lost life."""
        actions.go_to_event(self, kind, direction)

    def action_target(self) -> None:
        """Ask for another return."""
        actions.ask_target(self)

    def action_look(self, part: str, by: int) -> None:
        """Show the attention of another layer or head."""
        actions.look_at(self, part, by)

    def action_branch(self) -> None:
        """Leave the track here."""
        self.tell("branch", side=self.side)

    def action_swap(self) -> None:
        """Go back to the track before the branching."""
        self.tell("swap", side=self.side)

    def action_control(self) -> None:
        """Take the controls or hand them back."""
        self._held = None
        if self.keys is not None:
            self.keys.release()
        self.tell("take", side=self.side, on=not self.in_control)

    def action_beside(self) -> None:
        """Open a second episode of the same seed, or close it."""
        actions.toggle_second(self)

    def action_side(self) -> None:
        """Choose the other episode."""
        if len(self.states) == 2:
            self.side = 1 - self.side
            self._redraw()

    def action_save(self) -> None:
        """Keep the episode as a file."""
        actions.ask_file(self)

    def action_sources(self) -> None:
        """Choose what to play."""
        actions.choose_source(self, 0)

    def action_reseed(self, by: int) -> None:
        """Play another episode: the next seed."""
        actions.next_seed(self, by)

    def action_outlook(self) -> None:
        """Show what is expected in place of what was achieved, or back; both are in view where there is room."""
        if self.has_class("-wide"):
            self.notify("both timelines are in view", timeout=2)
            return
        self.toggle_class("-outlook")
        self.call_after_refresh(self._redraw)

    def action_full(self) -> None:
        """Show the frame alone, or everything."""
        self.toggle_class("-full")
        for bar in (*self.query(TopBar), *self.query(KeyBar)):
            bar.refresh()

    def action_pixels(self) -> None:
        """Draw with pixels or half blocks."""
        actions.toggle_pixels(self)

    def action_back(self) -> None:
        """Leave the full frame, hand back, or go back to where the replay was opened from."""
        if self.has_class("-full"):
            self.action_full()
        elif self.in_control:
            self.action_control()
        else:
            self.tell("pause")
            self.lamo.action_mode("run" if self.lamo.opened is not None else "runs")

    def on_timeline_chosen(self, message: Timeline.Chosen) -> None:
        """Go to the place that was clicked."""
        self.tell("seek", to=message.at)

    # playing oneself

    def press(self, key: str) -> None:
        """Hold a key for a moment; while paused it is one decision."""
        if self.keys is None:
            return
        self.keys.press(key)
        action = self.keys.action()
        if not self.playing:
            if action is not None:
                self.tell("act", side=self.side, action=action)
            self.keys.release()
            self._redraw()
            return
        self._hold(action)
        self.set_timer(HOLD + 0.02, self._let_go)

    def _let_go(self) -> None:
        if self.keys is not None:
            self._hold(self.keys.action())

    def _hold(self, action: Any) -> None:
        if action != self._held:
            self._held = action
            self.tell("hold", side=self.side, action=action)
