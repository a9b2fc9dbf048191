"""Frames: their fit, what is sent again, and counters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from lamo_core.player.half_blocks import changed_spans, fitted_size, key_runs, pair_keys, resize
from lamo_tui.widgets.frame_view import FrameView


class Stage(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.view = FrameView(clock=lambda: self.now)

    def compose(self) -> ComposeResult:
        yield self.view


def checks(height: int = 20, width: int = 30) -> np.ndarray:
    frame = np.zeros((height, width, 3), np.uint8)
    frame[::2, ::2] = (255, 0, 0)
    return frame


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    cells=st.tuples(st.integers(1, 40), st.integers(1, 20)),
    aspect=st.floats(0.2, 5),
    bits=st.integers(1, 8),
)
def test_any_frame_fits_any_room(shape: tuple[int, int], cells: tuple[int, int], aspect: float, bits: int) -> None:
    tall, wide = fitted_size(*shape, *cells, aspect)
    assert 1 <= tall <= 2 * cells[1]
    assert 1 <= wide <= cells[0]
    assert tall >= 2 * cells[1] - 1 or wide == cells[0]
    pixels = resize(np.full((*shape, 3), 200, np.uint8), tall, wide)
    assert pixels.shape == (tall, wide, 3)
    assert (pixels == 200).all()
    assert pair_keys(pixels, bits).shape == ((tall + 1) // 2, wide)


def test_shrinking_takes_the_mean_of_each_box() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[:2, :2, 0] = [[10, 20], [30, 40]]
    assert resize(frame, 2, 2)[0, 0].tolist() == [25, 0, 0]


def test_a_small_bright_thing_stays_visible_when_shrunk() -> None:
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[20, 20] = 240
    ball = int(resize(frame, 10, 10, keep_small=True)[5, 5, 0])
    assert 120 <= ball <= 240


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_shrinking_invents_no_colours(seed: int, keep_small: bool) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 256, (2, 3))
    picked = rng.random((12, 12)) < rng.random()
    frame = np.where(picked[:, :, None], first, second).astype(np.uint8)
    shrunk = resize(frame, 3, 3, keep_small=keep_small).astype(float)
    # every colour lies on the line between the two that there are
    span = (first - second).astype(float)
    share = ((shrunk - second) @ span / max(1.0, span @ span))[:, :, None]
    assert np.abs(shrunk - (second + share * span)).max() <= 1.0


def test_a_simulators_pattern_becomes_its_mean() -> None:
    board = np.indices((40, 40)).sum(0) // 2 % 2
    frame = np.repeat((60 + 40 * board)[:, :, None], 3, 2).astype(np.uint8)
    assert np.ptp(resize(frame, 5, 5).astype(int)) <= 1


def test_quantised_colours_keep_black_and_white() -> None:
    ends = np.array([[[0, 0, 0]], [[255, 255, 255]]], np.uint8)
    assert pair_keys(ends, 5).tolist() == [[0xFFFFFF]]
    close = np.array([[[100, 100, 100]], [[102, 102, 102]]], np.uint8)
    key = int(pair_keys(close, 5)[0, 0])
    assert key >> 24 == key & 0xFFFFFF


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_runs_put_together_are_the_row(row: list[int]) -> None:
    keys = np.array(row, np.int64)
    runs = key_runs(keys)
    assert [key for length, key in runs for _ in range(length)] == row
    assert all(one[1] != two[1] for one, two in itertools.pairwise(runs))


def test_spans_cover_what_differs_and_nothing_beside_it() -> None:
    old = np.zeros((3, 6), np.int64)
    new = old.copy()
    new[1, 2], new[1, 4] = 5, 6
    assert changed_spans(old, new) == [(1, 2, 5)]
    assert changed_spans(old, old) == []
    assert changed_spans(None, old) == [(0, 0, 6), (1, 0, 6), (2, 0, 6)]


async def test_only_what_changed_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Stage()
    async with app.run_test(size=(30, 10)) as pilot:
        app.view.show(checks())
        await pilot.pause()
        whole = app.view.frame_bytes
        asked: list[tuple[Region, ...]] = []
        monkeypatch.setattr(app.view, "refresh", lambda *regions, **_: asked.append(regions))
        kept = app.view.render_line(0)
        changed = checks()
        changed[6, 7] = (0, 255, 0)
        app.view.show(changed)
        assert asked == [(Region(7, 3, 1, 1),)]
        assert app.view.render_line(0) is kept
        assert 0 < app.view.frame_bytes < whole / 20
        app.view.show(changed.copy())
        assert len(asked) == 1
        assert app.view.frame_bytes == 0


async def test_frames_are_centred_and_follow_the_size() -> None:
    app = Stage()
    async with app.run_test(size=(40, 10)) as pilot:
        app.view.show(np.full((20, 20, 3), 255, np.uint8))
        await pilot.pause()
        strip = list(app.view.render_line(3))
        assert [len(segment.text) for segment in strip] == [10, 20, 10]
        for size in ((1, 1), (2, 9), (90, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert all(app.view.render_line(row).cell_length == size[0] for row in range(size[1]))


async def test_rate_and_clearing() -> None:
    app = Stage()
    async with app.run_test(size=(30, 10)) as pilot:
        assert "no frame yet" in app.view.render_line(4).text
        for number in range(200):
            app.now = number / 30
            app.view.show(checks())
        assert app.view.fps == pytest.approx(30, rel=0.01)
        assert app.view.frames == 200
        app.view.show(None)
        await pilot.pause()
        assert app.view.fps == 0
        assert "no frame yet" in app.view.render_line(4).text
