"""Every screen of the dashboard, found in the program, opened as a user opens it, in the smallest usual terminal."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

import lamo_tui
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.target_sweep_file import AskedReturns, AskedScore, write_asked
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.keys.bindings import KEYS
from tests.tui.conftest import OpenDashboard, look
from tests.tui.replaying import make_record, replaying

COLUMNS, ROWS = 80, 24
RUNNING = "20261121-014402-atari-breakout-1pct-s0-k3f9"
WAYS: dict[str, tuple[str, ...]] = {
    "RunsScreen": ("app.runs",),
    "RunScreen": ("runs.open",),
    "NewRunScreen": ("app.new",),
    "DataScreen": ("app.data",),
    "ReplayScreen": ("app.replay",),
    "MatrixScreen": ("app.matrix",),
    "SettingsScreen": ("app.settings",),
    "HelpScreen": ("app.help",),
    "AskedScreen": ("runs.open", "run.asked"),
    "Question": ("runs.stop",),
    "ColumnPicker": ("runs.columns",),
    "Reading": ("runs.select", "runs.select", "runs.diff"),
    "Passage": ("runs.open", "run.full", "run.maximise"),
    "Entry": ("app.new", "new.seeds"),
    "SettingsList": ("app.new", "new.edit"),
    "NewKey": ("app.settings", "settings.next", "settings.next", "settings.take"),
    "Sources": ("app.replay", "replay.list"),
    "CommandPalette": ("app.palette",),
}
"""Class of a screen to the keys that lead to it from the list of runs, by their ids."""
ELSEWHERE = {"WelcomeScreen"}
"""Screens that come up by themselves, in tests of their own."""


def every_screen() -> set[str]:
    """Return the names of all screens that the program can show: those that no other screen is made from."""
    for module in pkgutil.walk_packages(lamo_tui.__path__, "lamo_tui."):
        if not module.name.startswith(("lamo_tui.benchmarks.", "lamo_tui.cli.")):  # some of which need PyTorch
            importlib.import_module(module.name)
    own = [kind for kind in _below(Screen) if kind.__module__.startswith("lamo_tui.")]
    return {kind.__name__ for kind in own if not any(other is not kind and issubclass(other, kind) for other in own)}


def _below(kind: type[Screen[object]]) -> Iterator[type[Screen[object]]]:
    for part in kind.__subclasses__():
        yield part
        yield from _below(part)


async def press(pilot: Pilot[None], *ids: str) -> None:
    """Press the first key of each of these actions."""
    for name in ids:
        await pilot.press(KEYS[name].keys.partition(",")[0])
        await look(pilot)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def test_a_way_to_every_screen_is_known() -> None:
    assert every_screen() | {"CommandPalette"} == WAYS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", WAYS)
async def test_every_screen_opens_by_its_keys(name: str, folder: Path, dashboard: OpenDashboard) -> None:
    score = AskedScore(40.0, 20.0, 17.0, 23.0, 5)
    write_asked(RunDirectory(folder / RUNNING), AskedReturns(400, False, 10.0, 22.5, 50.0, (44.0,), 0.75, (score,)))
    async with dashboard(folder, COLUMNS, ROWS) as pilot:
        await press(pilot, *WAYS[name])
        assert isinstance(pilot.app, LamoApp)
        assert type(pilot.app.screen).__name__ == name
        assert screen_text(pilot.app).strip()
        await pilot.press("escape")
        await look(pilot)
        assert pilot.app.failure is None


async def test_modes_open_one_after_the_other_and_again(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, COLUMNS, ROWS) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        assert {f"mode('{mode}')" for mode in app.MODES} == {
            key.action for key in KEYS.values() if key.action.startswith("mode(")
        }
        for mode in (*app.MODES, *reversed(app.MODES)):
            app.action_mode(mode)
            await look(pilot)
            assert app.current_mode == mode
        assert app.failure is None


@pytest.mark.parametrize("mode", LamoApp.MODES)
async def test_every_mode_can_be_the_first(mode: str, folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, COLUMNS, ROWS, first=mode) as pilot:
        assert isinstance(pilot.app, LamoApp)
        assert pilot.app.current_mode == mode
        assert screen_text(pilot.app).strip()
        assert pilot.app.failure is None


async def test_an_empty_folder_is_welcomed(tmp_path: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(tmp_path / "empty", COLUMNS, ROWS) as pilot:
        assert type(pilot.app.screen).__name__ == "WelcomeScreen"
        await pilot.press("escape")
        await look(pilot)
        assert type(pilot.app.screen).__name__ == "RunsScreen"


async def test_a_recorded_episode_plays(tmp_path: Path) -> None:
    record = make_record(tmp_path / "replays" / "made-up.npz", 60)
    async with replaying(tmp_path, record, COLUMNS, ROWS) as replay:
        await replay.press("end", "left", "left")
        assert replay.screen.states[0].length == 60
        assert screen_text(replay.app).strip()
