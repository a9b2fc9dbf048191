"""Under `--ascii` no character beyond ASCII reaches the terminal, whoever drew it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from lamo_core.errors import UsageError
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.screens.run.grid_chart import GridChart
from lamo_tui.state.settings import Settings, load_settings
from lamo_tui.terminal.ascii_filter import AsciiOnly, to_ascii
from lamo_tui.widgets.timeline import Timeline
from tests.tui.conftest import OpenDashboard, look
from tests.tui.made_runs import make_run
from tests.tui.replaying import make_record, replaying

ASCII = Settings(ascii=True)
BREAKOUT = "20261121-014402-atari-breakout-1pct-s0-k3f9"


def plain(app: object) -> str:
    assert isinstance(app, LamoApp)
    text = screen_text(app)
    assert text.isascii(), sorted({letter for letter in text if not letter.isascii()})
    return text


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "6", "comma", "question_mark"])
async def test_every_screen_is_ascii(key: str, size: tuple[int, int], folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, *size, attach=BREAKOUT, settings=ASCII) as pilot:
        await pilot.press(key)
        await pilot.app.workers.wait_for_complete()
        await look(pilot)
        assert len(plain(pilot.app)) > 300


@pytest.mark.parametrize(
    "keys",
    [
        ("1", "s"),
        ("1", "slash", *"état:…"),
        ("1", "space", "space", "d"),
        ("1", "P"),
        ("2", "tab", "L"),
        ("2", "v"),
        ("2", "tab", "tab", "tab"),
        ("2", "plus", "end", "m"),
        ("3", "slash", "b"),
        ("3", "e"),
        ("5", "l"),
        ("ctrl+p",),
    ],
    ids=str,
)
async def test_windows_and_announcements_are_ascii(
    keys: tuple[str, ...], folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(folder, attach=BREAKOUT, settings=ASCII) as pilot:
        pilot.app.notify("naïve – “quotes” … 日本")
        await pilot.press(*keys)
        await pilot.pause()
        plain(pilot.app)


async def test_the_first_screen_of_a_newcomer_is_ascii(tmp_path: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(tmp_path / "runs", settings=ASCII) as pilot:
        assert "Welcome to lamo" in plain(pilot.app)


async def test_a_strange_name_of_a_run_is_ascii(tmp_path: Path, dashboard: OpenDashboard) -> None:
    make_run(tmp_path / "runs", "läuft-日本-s0-dddd")
    async with dashboard(tmp_path / "runs", 160, 40, settings=ASCII) as pilot:
        assert "lauft-????-s0-dddd" in plain(pilot.app)


async def test_an_episode_is_ascii_with_its_frame_in_colours(tmp_path: Path) -> None:
    record = make_record(tmp_path / "made-up.npz")
    async with replaying(tmp_path, record, settings=ASCII) as replay:
        await replay.press("end", "left")
        assert "asked             20" in plain(replay.app)
        assert replay.screen.query_one("#timeline", Timeline).marker_mode == "ascii"
        lines = replay.app.screen._compositor.render_strips()
        colours = {str(part.style.bgcolor) for part in lines[12] if part.style is not None and not part.text.strip()}
        assert len(colours) > 3


async def test_curves_are_letters_and_what_was_chosen_is_not_forgotten(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, attach=BREAKOUT, settings=ASCII) as pilot:
        await pilot.press("m")
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, LamoApp)
        assert {chart.marker_mode for chart in app.screen.query(GridChart)} == {"ascii"}
        assert app.view.marker == "braille"
        assert "aaa" in plain(app)


def test_text_keeps_its_width() -> None:
    for text in ("plain", "naïve", "日本", "⣿⡀", "▁▂▃▄▅▆▇█", "╭─╮", "e\u0301", "\U0010eeee", "½", "ﬁ", "\u200b"):
        assert to_ascii(text).isascii()
        assert cell_len(to_ascii(text)) == cell_len(text), text
    levels = to_ascii("▁▂▃▄▅▆▇█")
    assert len(set(levels)) == len(levels), "levels of a spark line can be told apart"
    assert len(set(to_ascii("━─"))) == 2, "the full part of a bar and its empty part too"


def test_two_pixels_become_their_mean() -> None:
    pixels = Segment("▀▀", Style(color="#ff0000", bgcolor="#0000ff"))
    (cell,) = AsciiOnly().apply([pixels], Color.parse("black"))
    assert cell.text == "  "
    assert cell.style is not None
    assert cell.style.bgcolor is not None
    assert cell.style.bgcolor.triplet == (127, 0, 127)


def test_it_is_a_flag_and_a_setting(made_folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    words = [sys.executable, "-m", "lamo_tui.cli.app", "tui", "--once", "--runs", str(made_folder), "--size", "100x30"]
    environment = {**os.environ, "LAMO_CONFIG": str(config), "LAMO_STATE": str(tmp_path), "PYTHONIOENCODING": "utf-8"}

    def picture(*more: str) -> bool:
        done = subprocess.run([*words, *more], capture_output=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.isascii()

    assert not picture()
    assert picture("--ascii")
    config.write_text("ascii = true\n")
    assert picture()
    assert not picture("--no-ascii")
    config.write_text('ascii = "yes"\n')
    with pytest.raises(UsageError, match="is true or false"):
        load_settings(config)
