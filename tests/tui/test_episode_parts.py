"""What the Replay screen is made of: its state, held keys, the pace, and the link to the player."""

from __future__ import annotations

import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamo_tui.replay.episode_state import EpisodeState
from lamo_tui.replay.frame_rate import RATES, Pace
from lamo_tui.replay.held_keys import HOLD, HeldKeys
from lamo_tui.replay.player_client import PlayerProcess
from tests.tui.replaying import make_record

PONG = ("noop", "fire", "right", "left", "right+fire", "left+fire")


class Clock:
    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_held_for_a_moment_and_longer_while_they_repeat() -> None:
    clock = Clock()
    keys = HeldKeys(PONG, discrete=True, clock=clock)
    assert keys.action() is None
    keys.press("right")
    assert keys.action() == 2
    clock.now += HOLD / 2
    keys.press("right")
    clock.now += HOLD * 0.9
    assert keys.action() == 2
    clock.now += HOLD * 0.2
    assert keys.action() is None


def test_keys_combine_into_the_actions_that_there_are() -> None:
    keys = HeldKeys(PONG, discrete=True, clock=Clock())
    keys.press("fire")
    keys.press("left")
    assert keys.action() == 5
    keys.press("right")  # lets go of left
    assert keys.action() == 4
    keys.release()
    keys.press("up")
    assert keys.action() is None
    full = HeldKeys(("noop", "up", "right", "up+right", "up+right+fire"), discrete=True, clock=Clock())
    for key in ("up", "right", "fire", "nonsense"):
        full.press(key)
    assert full.action() == 4


def test_continuous_actions_are_pushed_one_at_a_time() -> None:
    keys = HeldKeys(("thigh", "leg", "foot"), discrete=False, clock=Clock())
    keys.press("up")
    assert keys.dimension == 2
    keys.press("left")
    assert keys.action() == [0.0, 0.0, -1.0]
    keys.release()
    assert keys.action() is None


def frame(start: int, rewards: list[float], lives: list[float], **more: Any) -> dict[str, Any]:
    count = len(rewards)
    part = {"from": start, "rewards": rewards, "targets": [9.0] * count, "persons": [0] * count, "asked": [9.0] * count}
    part |= {"lives_from": start + (start > 0), "lives": lives, "predicted_from": 0, "predicted": []}
    return {"track": part | more.pop("part", {}), **more}


def test_what_is_foretold_has_gaps_and_is_taken_anew() -> None:
    state = EpisodeState({"discrete": True, "clipped": False, "per_second": 15.0})
    state.take(frame(0, [0, 1, 0], [], at=1, value_kind="value", part={"predicted_from": 1, "predicted": [2.0, None]}))
    assert np.array_equal(state.outlook(), [math.nan, 2.0, math.nan, math.nan], equal_nan=True)
    assert state.expected() == 2.0
    state.take(frame(0, [0, 1, 0], [], at=0, value_kind="value", part={"predicted": [4.0, 3.0, 2.0, 1.0]}))
    assert state.outlook().tolist() == [4.0, 3.0, 2.0, 1.0]


def test_without_values_the_outlook_is_what_was_asked() -> None:
    state = EpisodeState({"discrete": True, "clipped": False, "per_second": 15.0})
    state.take(frame(0, [0, 1], [], at=2, asked=8.0, value_kind="", part={"asked": [9.0, 9.0]}))
    assert state.outlook().tolist() == [9.0, 9.0, 8.0]
    state.take(frame(2, [], [], at=0, asked=9.0, value_kind=""))
    assert state.outlook().tolist() == [9.0, 9.0, 8.0], "whatever the playhead is on"


def test_the_state_grows_and_is_cut() -> None:
    state = EpisodeState({"discrete": True, "clipped": False, "per_second": 15.0})
    state.take(frame(0, [0, 2, 0, 0, 0], [3, 3, 3, 2, 2, 2], at=3, values=[0.25] * 4))
    assert state.returns().tolist() == [0, 0, 2, 2, 2, 2]
    assert state.lost_lives() == [2]
    assert state.paid() == [1]
    assert state.next_event(state.paid(), 1) is None
    assert state.next_event(state.paid(), -1) == 2
    assert state.entropy() == pytest.approx(1.0)
    assert state.raw_return() == 2
    state.branched()
    state.take(frame(2, [0], [3], at=3))
    assert state.returns().tolist() == [0, 0, 2, 2]
    assert state.lives == [3, 3, 3, 3]
    assert state.ghost is not None
    assert len(state.ghost) == 6


def test_in_a_stream_of_rewards_only_the_unusual_ones_are_events() -> None:
    state = EpisodeState({"discrete": False, "per_second": 125.0})
    rewards = [1.0 + 0.01 * (at % 3) for at in range(90)]
    rewards[40] = 9.0
    state.take(frame(0, rewards, [0.0] * 91, at=0, values=[0.1]))
    assert state.paid() == [40]
    assert state.entropy() is None


@pytest.mark.parametrize("told", [["NaN", 0.5, 0.5], [float("nan")] * 3, ["Infinity", 0, 0], ["x", 0.5, 0.5]], ids=str)
def test_probabilities_that_are_no_numbers_are_not_drawn(told: list[Any]) -> None:
    state = EpisodeState({"discrete": True, "per_second": 15.0})
    state.take(frame(0, [0], [0.0, 0.0], at=0, values=told))
    values = state.values()
    assert values is not None
    assert all(map(math.isnan, values))
    assert state.entropy() is None
    state.take(frame(0, [0], [0.0, 0.0], at=0, values=[0.25, 0.75]))
    assert state.values() == [0.25, 0.75]


def test_clipped_rewards_count_as_the_policy_was_told() -> None:
    state = EpisodeState({"clipped": True, "per_second": 15.0})
    state.take(frame(0, [7, -3, 0], [0] * 4, at=3))
    assert state.returns().tolist() == [0, 1, 0, 0]
    assert state.raw_return() == 4


def test_the_pace_falls_when_frames_are_slow_and_rises_when_they_are_quick_again() -> None:
    pace, now = Pace(), 0.0
    assert pace.fps == RATES[0]
    for _ in range(7):
        assert not pace.note(0.1, now)
    assert pace.note(0.1, now)
    assert pace.fps == RATES[1]
    assert not pace.note(0.011, now)  # neither slow nor quick
    for _ in range(40):
        now += 0.1
        if pace.note(0.001, now):
            break
    assert pace.fps == RATES[0]
    assert now > 2.9
    for _ in range(100):
        pace.note(9.0, now)
    assert pace.fps == RATES[-1]


class Ear:
    """Hears a player."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._came = threading.Condition()

    def __call__(self, header: dict[str, Any], payload: bytes) -> None:
        with self._came:
            self.heard.append(header)
            self._came.notify_all()

    def wait_for(self, kind: str) -> dict[str, Any]:
        with self._came:
            assert self._came.wait_for(lambda: any(header["kind"] == kind for header in self.heard), timeout=60)
            return next(header for header in self.heard if header["kind"] == kind)


def test_the_link_starts_a_player_and_ends_it(tmp_path: Path) -> None:
    record, ear = make_record(tmp_path / "a.npz", 30), Ear()
    link = PlayerProcess(ear, root=tmp_path)
    link.send("open", source=str(record))
    assert ear.wait_for("frame")["length"] == 30
    link.send("open", source=str(tmp_path / "b.npz"))
    assert "there is no file" in ear.wait_for("error")["text"]
    pid = link.pid
    link.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "gone" not in [header["kind"] for header in ear.heard]
    link.send("play")  # nobody hears it, and nothing breaks


def test_a_player_that_is_killed_says_so(tmp_path: Path) -> None:
    ear = Ear()
    link = PlayerProcess(ear, root=tmp_path)
    os.kill(link.pid, signal.SIGKILL)
    assert "the player has ended" in ear.wait_for("gone")["text"]
    link.send("play")
    link.close()
