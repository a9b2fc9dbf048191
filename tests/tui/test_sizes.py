"""Terminals that are small, and that change their size again and again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from tests.tui.conftest import OpenDashboard, look


async def test_where_there_is_no_room_a_sentence_says_so(dashboard: OpenDashboard, folder: Path) -> None:
    async with dashboard(folder, 36, 9) as pilot:
        text = screen_text(pilot.app)
        assert "36 x 9 is too small" in text
        assert "q leave" in text
        await pilot.resize_terminal(80, 24)
        await look(pilot)
        assert "too small" not in screen_text(pilot.app)
        assert "breakout" in screen_text(pilot.app)


@pytest.mark.parametrize("mode", ["runs", "run", "new", "matrix", "replay"])
async def test_a_storm_of_sizes_leaves_the_screen_as_it_was(dashboard: OpenDashboard, folder: Path, mode: str) -> None:
    async with dashboard(folder, 120, 40) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        app.action_mode(mode)
        await look(pilot)
        await app.workers.wait_for_complete()  # New run reads the data's histogram in a thread
        await pilot.pause()
        before = screen_text(app)
        draw = random.Random(0)
        for _ in range(12):
            await pilot.resize_terminal(draw.randint(1, 220), draw.randint(1, 70))
        await pilot.resize_terminal(120, 40)
        await look(pilot)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert screen_text(app) == before
