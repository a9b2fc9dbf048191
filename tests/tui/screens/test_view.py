"""What a person looked at is there again the next time, for each folder of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from textual.pilot import Pilot

from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.screens.run.chart_grid import ChartGrid
from lamo_tui.screens.run.run import RunScreen
from lamo_tui.screens.runs.runs import RunsScreen
from lamo_tui.state import view_state as view_module
from lamo_tui.state.view_state import View, load_view, save_view
from lamo_tui.widgets.charts.viewport import Viewport
from tests.tui.conftest import OpenDashboard, look

BREAKOUT = "20261121-014402-atari-breakout-1pct-s0-k3f9"
QBERT = "20261121-010000-atari-qbert-10pct-s1-x2ab"

FULL = View(
    theme="nord",
    order="return",
    axis="time",
    smoothing=5,
    marker="ascii",
    query="ratio<0.1",
    pinned=("c",),
    by_seed=True,
    columns=("score", "id"),
    table=True,
    opened="a",
    panel="log",
    log_shown="errors",
    chart="return",
    maximised=True,
    log_x=True,
    log_y=("loss", "lr"),
    span=120.0,
    end=300.0,
    follow=False,
)


def only_file(state: Path) -> Path:
    (file,) = (state / "folders").iterdir()
    return file


def test_each_folder_has_its_own_view(tmp_path: Path) -> None:
    state, one, two = tmp_path / "state", tmp_path / "one", tmp_path / "two"
    assert load_view(one, state) == View()
    save_view(FULL, one, state)
    assert load_view(one, state) == FULL
    fresh = load_view(two, state)
    assert fresh == View("nord", "return", "time", 5, "ascii", columns=FULL.columns), (
        "a folder that is new takes over tastes, and no runs"
    )
    save_view(View(theme="lamo-light", query="pong"), two, state)
    assert load_view(one, state).query == "ratio<0.1"
    assert load_view(one, state).order == "return"
    assert load_view(one, state).theme == "lamo-light", "the theme belongs to the terminal"
    assert not one.exists(), "nothing is written into a folder of runs"


def test_a_folder_is_the_same_by_every_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    save_view(FULL, Path("runs"), tmp_path / "state")
    assert load_view(tmp_path / "runs", tmp_path / "state") == load_view(Path("link"), tmp_path / "state") == FULL


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff{",
        b"[1]",
        b"[" * 5000,
        b'{"query":7,"pinned":[1],"smoothing":true,"span":"wide","log_x":1,"marker":"crayon"}',
        b'{"span":-3,"end":"NaN","follow":"yes","panel":null,"unknown":1}',
        b'{"span":1e999}',
        b'{"query":"' + b"x" * 100_000 + b'"}',
    ],
    ids=range(8),
)
def test_a_damaged_file_does_no_harm(tmp_path: Path, damage: bytes) -> None:
    save_view(View(), tmp_path / "runs", tmp_path)
    only_file(tmp_path).write_bytes(damage)
    (tmp_path / "view.json").write_bytes(damage)
    assert load_view(tmp_path / "runs", tmp_path) == View()
    save_view(FULL, tmp_path / "runs", tmp_path)
    assert load_view(tmp_path / "runs", tmp_path) == FULL


def test_what_is_sound_in_a_damaged_file_counts(tmp_path: Path) -> None:
    save_view(FULL, tmp_path / "runs", tmp_path)
    values = json.loads(only_file(tmp_path).read_text())
    only_file(tmp_path).write_text(json.dumps(values | {"order": 3, "span": 50}))
    found = load_view(tmp_path / "runs", tmp_path)
    assert (found.query, found.span, found.order) == ("ratio<0.1", 50.0, "return")


def test_files_are_bounded_in_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module, "_MOST_FOLDERS", 3)
    many = tuple(f"run-{number}-{'x' * 600}" for number in range(5000))
    for number in range(6):
        save_view(View(query="q" * 9000, pinned=many), tmp_path / f"runs{number}", tmp_path)
        os.utime(max((tmp_path / "folders").iterdir(), key=lambda path: path.stat().st_mtime_ns), (number, number))
    files = list((tmp_path / "folders").iterdir())
    assert len(files) == 3
    assert max(path.stat().st_size for path in files) < view_module._MOST_BYTES
    assert load_view(tmp_path / "runs0", tmp_path).query == ""


def test_a_state_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    save_view(FULL, tmp_path / "runs", tmp_path / "file")
    assert load_view(tmp_path / "runs", tmp_path / "file") == View()


def lamo(pilot: Pilot[None]) -> LamoApp:
    assert isinstance(pilot.app, LamoApp)
    return pilot.app


async def test_the_list_comes_back_as_it_was(made_folder: Path, dashboard: OpenDashboard, tmp_path: Path) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("o", "space", "asterisk", "m", "slash", *"atari", "enter")
        await pilot.pause()
        first = lamo(pilot).screen
        assert isinstance(first, RunsScreen)
        kept, before = lamo(pilot).view, screen_text(pilot.app)
        assert first.selected
        assert first.pinned
    save_view(kept, made_folder, tmp_path)
    async with dashboard(made_folder, view=load_view(made_folder, tmp_path)) as pilot:
        await look(pilot)
        second = lamo(pilot).screen
        assert isinstance(second, RunsScreen)
        assert (second.selected, second.pinned, second.by_seed) == (set(), first.pinned, True)
        assert (second.query_text, second.order) == ("atari", "return")
        rows = [line for line in screen_text(pilot.app).splitlines() if " s" in line and "pct" in line]
        assert [row[1:60] for row in rows] == [
            line[1:60] for line in before.splitlines() if " s" in line and "pct" in line
        ]


async def test_runs_that_are_gone_are_forgotten_once_the_folder_was_read(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, view=View(pinned=(BREAKOUT, "gone"))) as pilot:
        assert lamo(pilot).view.pinned == (BREAKOUT,)


async def test_the_charts_come_back_as_they_were(made_folder: Path, dashboard: OpenDashboard, tmp_path: Path) -> None:
    async with dashboard(made_folder, attach=BREAKOUT) as pilot:
        await pilot.press("plus", "y", "right_square_bracket", "z", "z", "shift+left", "enter", "L", "L")
        await pilot.pause()
        grid = pilot.app.screen.query_one(ChartGrid)
        part = grid.chosen.view
        assert part.span is not None
        assert not part.follow
        save_view(lamo(pilot).view, made_folder, tmp_path)
    async with dashboard(made_folder, attach=BREAKOUT, view=load_view(made_folder, tmp_path)) as pilot:
        grid = pilot.app.screen.query_one(ChartGrid)
        assert {chart.view for chart in grid.charts} == {part}
        assert (grid.chosen.kind.name, grid.maximised, grid.level) == ("return", True, 4)
        assert [chart.kind.name for chart in grid.charts if chart.log_y] == ["loss"]
        assert [chart.kind.name for chart in grid.charts if chart.display] == ["return"]
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        assert (screen.panel, screen.log_view.shown) == ("log", "warnings and errors")
        assert "warnings and errors: L" in screen_text(pilot.app)


async def test_the_run_that_was_opened_last_is_one_key_away(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, view=View(opened=QBERT)) as pilot:
        await pilot.press("2")
        await look(pilot)
        assert lamo(pilot).opened == QBERT
    async with dashboard(made_folder, view=View(opened="gone")) as pilot:
        await pilot.press("2")
        await look(pilot)
        assert lamo(pilot).opened == BREAKOUT


async def test_keys_change_what_is_remembered(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("o", "enter", "plus", "x", "ctrl+t")
        await pilot.pause()
        view = lamo(pilot).view
        assert (view.theme, view.order, view.axis, view.smoothing) == ("lamo-light", "return", "time", 4)


async def test_it_is_written_while_the_dashboard_runs_and_at_its_end(made_folder: Path) -> None:
    kept: list[View] = []
    app = LamoApp(made_folder, keep=lambda view, root: kept.append(view), follow=False)
    async with app.run_test() as pilot:
        app.tick()
        app.keep_view()
        assert not kept or kept[-1] == app.view
        await pilot.press("o")
        app.keep_view()
        app.keep_view()
        assert [view.order for view in kept].count("return") == 1, "written once"
        await pilot.press("o")
    assert kept[-1].order == "score"


def test_a_part_where_a_shorter_run_has_nothing_shows_everything() -> None:
    zoomed = Viewport(100.0, 900.0, follow=False)
    assert zoomed.window(0, 1000, 100).end == pytest.approx(900, abs=2)
    assert zoomed.window(0, 300, 100) == Viewport().window(0, 300, 100)
    assert zoomed.window(2000, 3000, 100) == Viewport().window(2000, 3000, 100)
