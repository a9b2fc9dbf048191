"""The list of runs: every key, by what it changes on the screen or on the disk."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import decode
from lamo_core.runs.status import own_process, read_status, write_status
from lamo_tui.dashboard import run_actions
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.screens.dialogs import Question, Reading
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.run.chart_grid import ChartGrid
from lamo_tui.screens.runs.runs import RunsScreen
from lamo_tui.widgets.words import Static
from tests.tui.conftest import OpenDashboard, look

BREAKOUT = "20261121-014402-atari-breakout-1pct-s0-k3f9"
QBERT = "20261121-010000-atari-qbert-10pct-s1-x2ab"
FINISHED = "20261120-220000-atari-breakout-10pct-s0-aa22"
STOPPED = "20261120-200000-atari-pong-1pct-s2-bb33"


def screen_of(pilot: Pilot[None]) -> RunsScreen:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, RunsScreen)
    return screen


def shown(pilot: Pilot[None]) -> list[str]:
    return [row.key for row in screen_of(pilot).query_one("#run-table", Rows).rows]


def commands(folder: Path, run_id: str) -> list[object]:
    records = [decode(path.read_bytes()) for path in sorted((folder / run_id / "control").glob("*.json"))]
    return [record and record["name"] for record in records]


def notes(pilot: Pilot[None]) -> str:
    return "\n".join(str(note.message) for note in pilot.app._notifications)


async def test_newest_runs_come_first_with_their_derived_state(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        assert shown(pilot)[:2] == [BREAKOUT, QBERT]
        text = screen_text(pilot.app)
        for state in ("R running", "F finished", "S stopped", "? lost", "! stalled 45s", "P paused", "X failed"):
            assert state in text


async def test_typing_a_filter_narrows_the_list_and_escape_widens_it(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("slash", *"qbert")
        await pilot.pause()
        assert len(shown(pilot)) == 2
        assert all("qbert" in run_id for run_id in shown(pilot))
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert len(shown(pilot)) == 8
        assert isinstance(pilot.app.focused, Rows)


async def test_letters_typed_right_behind_the_slash_belong_to_the_filter(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        for name, letter in (("slash", "/"), *zip("sod", "sod", strict=True)):  # each of them is a key of the list
            pilot.app.post_message(Key(name, letter))
        await pilot.pause()
        await pilot.pause()
        assert screen_of(pilot).query_one(Input).value == "sod"
        assert screen_of(pilot).order == "age"


async def test_a_filter_that_is_wrong_says_why_and_changes_nothing(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("slash")
        screen_of(pilot).query_one(Input).value = "ratoi<0.1"
        await pilot.pause()
        await pilot.pause()
        assert "did you mean 'ratio'" in screen_text(pilot.app)
        assert len(shown(pilot)) == 8


async def test_commands_go_to_the_selected_runs(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder) as pilot:
        await pilot.press("space", "space", "p")
        await pilot.pause()
        assert commands(folder, BREAKOUT) == commands(folder, QBERT) == ["pause"]


async def test_keys_act_on_selected_runs_in_view_and_their_count_is_on_the_screen(
    folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(folder, 80, 24) as pilot:
        await pilot.press("space", "space")
        assert "2 selected: keys act on them" in screen_text(pilot.app)
        screen = screen_of(pilot)
        screen.filter_by("breakout")
        await pilot.pause()
        assert "2 selected, 1 hidden: keys act on the 1 in view" in screen_text(pilot.app)
        await pilot.press("p")
        assert (commands(folder, BREAKOUT), commands(folder, QBERT)) == (["pause"], [])
        await pilot.press("down", "D")
        assert "Delete this run?" in screen_text(pilot.app)
        assert "k3f9" in screen_text(pilot.app)
        await pilot.press("n")
        screen.filter_by("state:finished")
        await pilot.pause()
        assert [run.id for run in screen.targets()] == [FINISHED]
        assert "keys act on the run under the cursor" in screen_text(pilot.app)
        screen.filter_by("pong")
        await pilot.pause()
        await pilot.press("escape", "escape")
        assert "selected" not in screen_text(pilot.app)


async def test_a_paused_run_goes_on_with_the_same_key(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder) as pilot:
        await pilot.press(*["down"] * 6, "p")
        await pilot.pause()
        assert commands(folder, "20261120-160000-atari-qbert-1pct-s5-ee66") == ["resume"]


async def test_stopping_asks_first(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder) as pilot:
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Question)
        await pilot.press("n")
        await pilot.pause()
        assert commands(folder, BREAKOUT) == []
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert commands(folder, BREAKOUT) == ["stop"]


async def test_deleting_asks_and_spares_runs_that_work(folder: Path, dashboard: OpenDashboard) -> None:
    run = RunDirectory(folder / BREAKOUT)
    pid, started = own_process()
    write_status(run, replace(read_status(run), pid=pid, pid_started=started, heartbeat=time.time()))
    async with dashboard(folder) as pilot:
        await pilot.press("D")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert "stop it first" in notes(pilot)
        await pilot.press("down", "down", "D")
        await pilot.pause()
        assert (folder / FINISHED).exists()
        await pilot.press("y")
        await pilot.pause()
        assert not (folder / FINISHED).exists()
        await pilot.press("u")
        await pilot.pause()
        assert f"{FINISHED} is back" in notes(pilot)
    assert (folder / BREAKOUT).exists()
    assert (folder / FINISHED).exists()


async def test_only_runs_that_ended_early_are_continued(
    folder: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(run_actions, "launch", lambda run, command: started.append(list(command)))
    async with dashboard(folder) as pilot:
        await pilot.press("r")
        await pilot.pause()
        assert "only stopped, failed and lost runs can be continued" in notes(pilot)
        await pilot.press(*["down"] * 3, "r")
        await pilot.pause()
        assert "has saved no checkpoint" in notes(pilot)
        (folder / STOPPED / "checkpoints" / "last.pt").write_bytes(b"")
        await pilot.press("r")
        await pilot.pause()
        assert started[0][-2:] == ["--resume", str(folder / STOPPED / "checkpoints" / "last.pt")]


async def test_pinned_runs_stay_on_top_in_every_order(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("down", "down", "down", "asterisk")
        await pilot.pause()
        assert shown(pilot)[0] == STOPPED
        await pilot.press("o")
        await pilot.pause()
        returns = [screen_of(pilot).lamo.snapshot.run(run_id) for run_id in shown(pilot)[1:]]
        values = [run.status.last_return for run in returns if run is not None]
        assert shown(pilot)[0] == STOPPED
        assert values == sorted(values, reverse=True, key=lambda value: value or 0)


async def test_differences_of_selected_runs_are_listed(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("space", "space", "d")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Reading)
        text = screen_text(pilot.app)
        assert "task.name" in text
        assert "optim.clip" not in text


async def test_seeds_of_a_preset_are_drawn_as_their_mean(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 200, 60) as pilot:
        await pilot.press("m")
        await look(pilot)
        (loss, *_) = pilot.app.screen.query_one(ChartGrid).charts
        (mean,) = loss.series
        # seeds 0 and 4 of the preset are at 400 and 330 steps; seed 6 failed at 120 and is left out
        assert mean.x[-1] == 400
        assert np.isfinite(mean.y).sum() == 330
        assert mean.raw is not None
        assert np.flatnonzero(np.isfinite(mean.raw)).tolist() == list(range(329, 400))
        assert mean.low is not None
        assert mean.high is not None
        assert (mean.low[:330] <= mean.y[:330]).all()
        assert (mean.y[:330] <= mean.high[:330]).all()
        assert np.isnan(mean.low[330:]).all()
        words = " ".join(screen_text(pilot.app).replace("│", " ").split())
        assert "mean and range of 2 seeds without s6 failed at 120; of all to step 330: s4 stalled" in words


async def test_a_run_that_appears_is_listed_and_the_cursor_stays(folder: Path, dashboard: OpenDashboard) -> None:
    from tests.tui.made_runs import NOW, make_run

    async with dashboard(folder) as pilot:
        await pilot.press("down")
        make_run(folder, "20261121-020000-atari-pong-1pct-s9-nnew", "atari-pong-1pct", steps=10, age=60)
        app = pilot.app
        assert isinstance(app, LamoApp)
        app.store._clock = lambda: NOW + 2
        await look(pilot)
        table = screen_of(pilot).query_one("#run-table", Rows)
        assert shown(pilot)[0].endswith("nnew")
        assert table.key == QBERT


async def test_columns_are_chosen_ordered_by_and_become_a_table(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 160, 40) as pilot:
        await pilot.press("C", "down", "down", "space", "enter")
        await pilot.pause()
        head = str(screen_of(pilot).query_one("#table-head", Static).content)
        assert head.split() == ["state", "run", "score"]
        await pilot.click("#table-head", offset=(head.index("score"), 0))
        await pilot.pause()
        assert "score▾" in screen_text(pilot.app)
        assert screen_of(pilot).order == "score"
        await pilot.press("T")
        await pilot.pause()
        text = screen_text(pilot.app)
        assert "ratio" in text
        assert "best" in text
        assert not screen_of(pilot).query_one("#preview").display
        await pilot.press("T", "C", "backspace")
        await pilot.pause()
        assert "progress" in screen_text(pilot.app)
        assert screen_of(pilot).query_one("#preview").display
