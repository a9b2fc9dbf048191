"""Timeline and attention strip: what they say, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from lamo_tui.widgets.attention_strip import AttentionStrip
from lamo_tui.widgets.fact_lines import FactLines
from lamo_tui.widgets.timeline import Course, Timeline

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 14))


def lines_of(widget: Timeline | AttentionStrip, width: int, height: int) -> list[str]:
    return widget.picture(width, height).text().split("\n")


@settings(deadline=None, max_examples=60)
@given(
    rewards=st.lists(st.floats(-1e6, 1e6), max_size=200),
    at=st.integers(0, 200),
    target=st.floats(allow_nan=True, allow_infinity=True),
    size=SIZES,
    two=st.booleans(),
)
def test_a_timeline_of_anything(rewards: list[float], at: int, target: float, size: tuple[int, int], two: bool) -> None:
    timeline = Timeline()
    returns = np.array([0.0, *np.cumsum(rewards)])
    every = range(len(rewards))
    course = Course(returns, rewards=every, losses=[0], changes=[1], persons=[1] * len(rewards), ghost=returns)
    timeline.show([course, course] if two else [course], min(at, len(rewards)), target)
    assert timeline.picture(*size).glyphs.shape == size[::-1]


def test_a_timeline_marks_rewards_losses_and_the_playhead() -> None:
    timeline = Timeline()
    returns = np.array([0.0] * 50 + [1.0] * 51)
    persons = [0] * 60 + [1] * 20 + [0] * 20
    timeline.show([Course(returns, rewards=[49], losses=[79], changes=[20], persons=persons, over=True)], 50, 2.0)
    lines = lines_of(timeline, 102, 7)
    left = 2
    assert lines[0].index("•") - left == 49
    assert lines[0].index("✗") - left == 79
    assert lines[0].index("◆") - left == 20
    assert lines[-1].index("▲") - left == 50
    assert lines[-1].count("━") == 20
    assert "50" in lines[-1]
    assert lines[-1].endswith("100")
    assert lines[1].startswith("2")
    assert any("╌" in line for line in lines)


def test_a_target_far_above_does_not_flatten_the_curve() -> None:
    timeline = Timeline()
    timeline.show([Course(np.arange(11.0))], 3, 500.0)
    assert lines_of(timeline, 60, 7)[1].startswith("10")
    timeline.show([Course(np.arange(11.0))], 3, 20.0)
    assert lines_of(timeline, 60, 7)[1].startswith("20")


def test_the_axis_of_a_growing_episode_stands_still_most_of_the_time() -> None:
    timeline = Timeline()
    ends = []
    for length in range(1, 200):
        timeline.show([Course(np.zeros(length + 1))], 0, 0.0)
        ends.append(timeline._end())
    assert all(end >= length for length, end in enumerate(ends, start=1))
    assert len(set(ends)) < 10
    timeline.show([Course(np.zeros(151), over=True)], 0, 0.0)
    assert timeline._end() == 150


class Stage(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.timeline, self.chosen = Timeline(), list[int]()

    def compose(self) -> ComposeResult:
        yield self.timeline

    def on_timeline_chosen(self, message: Timeline.Chosen) -> None:
        self.chosen.append(message.at)


async def test_a_click_chooses_a_place() -> None:
    app = Stage()
    async with app.run_test(size=(102, 8)) as pilot:
        app.timeline.show([Course(np.zeros(101), over=True)], 0, 0.0)
        await pilot.pause()
        await pilot.click(Timeline, offset=(52, 2))
        await pilot.click(Timeline, offset=(0, 2))  # a label
    assert app.chosen == [50]


@settings(deadline=None, max_examples=60)
@given(steps=st.integers(0, 60), size=SIZES, seed=st.integers(0, 5))
def test_attention_of_anything(steps: int, size: tuple[int, int], seed: int) -> None:
    strip = AttentionStrip()
    strip.show(np.random.default_rng(seed).random((steps, 3)).tolist())
    assert strip.picture(*size).glyphs.shape == size[::-1]


def test_attention_is_highest_where_the_policy_looks() -> None:
    strip = AttentionStrip()
    weights = np.full((5, 3), 0.02)
    weights[3, 1] = 0.7
    strip.show(weights.tolist())
    lines = lines_of(strip, 48, 4)
    assert [line.split()[0] for line in lines[:3]] == ["return", "state", "action"]
    assert "█" in lines[1]
    assert "█" not in lines[0] + lines[2]
    assert lines[1].index("█") == 8 + 3 * 8
    assert lines[3].split() == ["-4", "now"]
    assert "█" in "".join(lines_of(strip, 48, 2))
    tall = lines_of(strip, 48, 7)
    assert tall[6].split() == ["-4", "now"]
    assert tall[2][8 + 3 * 8] == "▇"  # a gap to the bars above


def test_no_attention_says_why() -> None:
    strip = AttentionStrip()
    strip.show(None, "not recorded")
    assert lines_of(strip, 30, 4)[0] == "not recorded"


@settings(deadline=None, max_examples=40)
@given(lines=st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), max_size=12), size=SIZES)
def test_facts_of_anything(lines: list[tuple[str, str]], size: tuple[int, int]) -> None:
    facts = FactLines()
    facts.show(lines)
    assert facts.picture(*size).glyphs.shape == size[::-1]


def test_facts_stand_in_two_columns() -> None:
    facts = FactLines()
    facts.show([("lives", "3"), ("observation 1", "0.5")])
    assert facts.picture(30, 2).text().split("\n") == ["lives          3", "observation 1  0.5"]


@pytest.mark.parametrize("steps", [30, 100])
def test_more_steps_than_room_shows_the_newest(steps: int) -> None:
    strip = AttentionStrip()
    weights = np.zeros((steps, 3))
    weights[-1, 0] = 1.0
    strip.show(weights.tolist())
    line = lines_of(strip, 28, 3)[0]
    assert line.rstrip().endswith("█")
