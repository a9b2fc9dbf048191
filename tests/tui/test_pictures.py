"""What the screens look like, as plain text at three sizes.

After a wanted change write the pictures anew with `LAMO_WRITE_PICTURES=1 pytest tests/tui/test_pictures.py`, and read
the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lamo_tui.picture import screen_text
from tests.tui.conftest import OpenDashboard, look

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


def check(name: str, size: tuple[int, int], text: str) -> None:
    path = PICTURES / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("LAMO_WRITE_PICTURES"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8"), f"{path.name} looks different"
