"""The Settings screen: what is chosen acts at once and is written down; every key of the screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.replay.replay_screen import ReplayScreen
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.settings.new_key import NewKey
from lamo_tui.screens.settings.settings_screen import SettingsScreen
from lamo_tui.state.settings import Settings, load_settings
from tests.tui.conftest import OpenDashboard, look


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings" / "config.toml"
    monkeypatch.setenv("LAMO_CONFIG", str(path))
    return path


def lamo(pilot: Pilot[None]) -> LamoApp:
    assert isinstance(pilot.app, LamoApp)
    return pilot.app


def rows(pilot: Pilot[None], place: str) -> Rows:
    return pilot.app.screen.query_one(place, Rows)


async def go_to(pilot: Pilot[None], entry: str) -> None:
    """Open the settings with the cursor on the key of an action."""
    await pilot.press("comma", "shift+tab")
    rows(pilot, "#keys").go_to(entry)
    await pilot.pause()


def said(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one(".problem", Static).content)


async def test_it_opens_from_every_screen_and_leads_back(
    made_folder: Path, config: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        for key, mode in zip("2345", ("run", "new", "data", "replay"), strict=True):
            await pilot.press(key)
            await pilot.press("f2" if mode == "replay" else "comma")
            assert isinstance(pilot.app.screen, SettingsScreen)
            await pilot.press("escape")
            assert pilot.app.current_mode == mode
        assert isinstance(pilot.app.screen, ReplayScreen)
        await pilot.press("1", "ctrl+p", *"settings")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.current_mode == "settings"
    assert not config.exists(), "to look changes nothing"


async def test_a_theme_is_tried_given_back_and_taken(made_folder: Path, config: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("comma", "down", "down")
        await pilot.pause()
        assert pilot.app.theme == "nord"
        assert "esc gives the old one back" in screen_text(pilot.app)
        await pilot.press("escape")
        await pilot.pause()
        assert (pilot.app.theme, rows(pilot, "#themes").key) == ("lamo-dark", "lamo-dark")
        await pilot.press("down", "tab")
        assert pilot.app.theme == "lamo-dark", "to go on is no choice"
        await pilot.press("shift+tab", "down", "1")
        assert pilot.app.theme == "lamo-dark", "to leave is none, either"
        await pilot.press("comma", "down", "enter")
        assert lamo(pilot).settings.theme == pilot.app.theme == "lamo-light"
        assert load_settings(config).theme == "lamo-light"
        assert "● lamo-light" in screen_text(pilot.app)
        await pilot.press("delete")
        assert load_settings(config).theme == ""
        assert pilot.app.theme == "lamo-light", "the last that was chosen"
        await pilot.press("escape")
        assert pilot.app.current_mode == "runs"


async def test_letters_change_at_once_on_every_screen(
    made_folder: Path, config: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("comma", "tab", "down", "enter")
        await pilot.pause()
        assert screen_text(pilot.app).isascii()
        assert load_settings(config).ascii
        await pilot.press("escape")
        await look(pilot)
        assert screen_text(pilot.app).isascii()
        await pilot.press("comma", "backspace")
        await pilot.pause()
        assert not screen_text(pilot.app).isascii()
        assert "ascii" not in config.read_text()


async def test_a_moved_key_acts_at_once_everywhere(made_folder: Path, config: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await go_to(pilot, "runs.filter")
        await pilot.press("enter", "K")
        await pilot.pause()
        assert load_settings(config).keymap == {"runs.filter": "K"}
        assert "* K          /          filter" in screen_text(pilot.app)
        assert "* 1 moved" in screen_text(pilot.app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "K          Filter: words" in screen_text(pilot.app)
        await pilot.press("1")
        await pilot.pause()
        assert "K filter" in screen_text(pilot.app)
        await pilot.press("slash")
        assert not isinstance(pilot.app.focused, Input), "the old key has no meaning now"
        await pilot.press("K")
        assert isinstance(pilot.app.focused, Input)
        await pilot.press("escape", "comma", "backspace")
        await pilot.pause()
        assert load_settings(config).keymap == {}
        await pilot.press("escape", "slash")
        assert isinstance(pilot.app.focused, Input)


async def test_the_line_on_top_and_the_key_to_the_settings_move_too(
    made_folder: Path, config: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, settings=Settings(keymap={"app.settings": "f9", "app.matrix": "f6"})) as pilot:
        assert "f6 Matrix" in screen_text(pilot.app)
        await pilot.press("comma")
        assert pilot.app.current_mode == "runs"
        await pilot.press("f9")
        assert pilot.app.current_mode == "settings"


async def test_a_taken_key_says_by_what_and_swaps_when_pressed_again(
    made_folder: Path, config: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        await go_to(pilot, "runs.stop")
        await pilot.press("enter", "ctrl+c")
        assert "interrupts" in said(pilot)
        await pilot.press("n")
        assert "n is taken by new (app.new)" in said(pilot)
        await pilot.press("p")
        assert "p is taken by pause (runs.pause): press p again to swap" in said(pilot)
        assert not config.exists()
        await pilot.press("p")
        await pilot.pause()
        assert load_settings(config).keymap == {"runs.stop": "p", "runs.pause": "s"}
        await pilot.press("backspace")
        assert isinstance(pilot.app.screen, NewKey), "the default is taken now"
        assert "s is taken by pause (runs.pause): press again to swap" in said(pilot)
        await pilot.press("backspace")
        await pilot.pause()
        assert load_settings(config).keymap == {}
        await pilot.press("enter", "escape", "a", "ctrl+x")
        await pilot.pause()
        assert load_settings(config).keymap == {"runs.stop": "s,ctrl+x"}
        await pilot.press("enter", "delete")
        await pilot.pause()
        assert load_settings(config).keymap == {}


async def test_words_filter_the_keys(made_folder: Path, config: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("comma", "slash", *"runs stop", "enter")
        await pilot.pause()
        assert [row.key for row in rows(pilot, "#keys").rows][:2] == ["#runs", "runs.stop"]
        assert rows(pilot, "#keys").has_focus
        await pilot.press("home")
        assert rows(pilot, "#keys").key == "runs.stop", "the cursor passes over headings"
        await pilot.press("slash", *"qqq")
        await pilot.pause()
        assert "no action fits" in screen_text(pilot.app)
        await pilot.press("escape")
        assert len(rows(pilot, "#keys").rows) > 130
        assert pilot.app.current_mode == "settings"
        await pilot.press("slash", "enter", "down", "up", "end", "left", "h", "l", "right")
        assert rows(pilot, "#keys").key == "help.names"


async def test_what_cannot_be_written_holds_for_the_session(
    made_folder: Path, config: Path, dashboard: OpenDashboard
) -> None:
    config.parent.mkdir()
    config.write_text("theme = ")
    async with dashboard(made_folder) as pilot:
        await pilot.press("comma", "down", "enter")
        await pilot.pause()
        assert pilot.app.theme == "lamo-light"
        (told,) = pilot.app._notifications
        assert "is not valid TOML" in told.message
        assert "until you leave, the change holds" in told.message
    assert config.read_text() == "theme = "
