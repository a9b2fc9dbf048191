"""What the screens look like, as plain text at three sizes.

After a wanted change write the pictures anew with `LAMO_WRITE_PICTURES=1 pytest tests/tui/test_pictures.py`, and read
the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.replay.request import Request
from lamo_tui.screens.rows import Rows
from lamo_tui.state.settings import Settings
from tests.tui.conftest import OpenDashboard, look
from tests.tui.replaying import make_record, replaying

PICTURES = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (120, 40), (200, 60))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_screens_look_as_they_did(size: tuple[int, int], made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, *size) as pilot:
        check("runs", size, screen_text(pilot.app))
        await pilot.press("enter")
        await look(pilot)
        check("run", size, screen_text(pilot.app))
        await pilot.press("question_mark")
        await pilot.pause()
        check("help", size, screen_text(pilot.app))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_settings_look_as_they_did(
    size: tuple[int, int], made_folder: Path, dashboard: OpenDashboard
) -> None:
    moved = Settings(theme="lamo-dark", keymap={"runs.stop": "S", "runs.sort": "ctrl+o,O"})
    async with dashboard(made_folder, *size, settings=moved) as pilot:
        await pilot.press("comma", "shift+tab")
        pilot.app.screen.query_one("#keys", Rows).go_to("runs.sort")
        await pilot.pause()
        check("settings", size, screen_text(pilot.app))
        await pilot.press("enter", "p")
        await pilot.pause()
        check("settings-key", size, screen_text(pilot.app))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_replay_looks_as_it_did(size: tuple[int, int], tmp_path: Path) -> None:
    record = make_record(tmp_path / "replays" / "made-up.npz")
    async with replaying(tmp_path, record, *size) as replay:
        await replay.press("end", "left", "left")
        check("replay", size, screen_text(replay.app))
        replay.screen.open(Request(str(record), {}, False), 1)
        await replay.pilot.pause()
        check("replay-two", size, screen_text(replay.app))


def check(name: str, size: tuple[int, int], text: str) -> None:
    path = PICTURES / name / f"{size[0]}x{size[1]}.txt"
    if os.environ.get("LAMO_WRITE_PICTURES"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8"), f"{name}, {path.stem}, looks different"
