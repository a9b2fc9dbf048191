"""The Run screen: every key, by what it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import decode
from lamo_core.runs.status import FREED, read_status, write_status
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.screens.dialogs import Passage, Reading
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.run.chart_grid import ChartGrid
from lamo_tui.screens.run.run import RunScreen
from lamo_tui.state.view_state import View
from tests.tui.conftest import OpenDashboard, look
from tests.tui.made_runs import make_run

BREAKOUT = "20261121-014402-atari-breakout-1pct-s0-k3f9"
FAILED = "20261120-150000-atari-breakout-1pct-s6-ff77"


def grid_of(pilot: Pilot[None]) -> ChartGrid:
    return pilot.app.screen.query_one(ChartGrid)


async def test_charts_show_what_was_recorded_with_lines_to_compare(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=BREAKOUT) as pilot:
        charts = {chart.kind.name: chart for chart in grid_of(pilot).charts}
        assert len(charts["loss"].series[0].x) == 400
        assert charts["loss"].series[0].raw is not None
        assert [reference.name for reference in charts["return"].references] == ["random", "data mean", "target"]
        assert charts["return"].series[0].low is not None
        assert not charts["language"].display
        assert {reference.name: reference.y for reference in charts["normalised"].references}["random"] == 0


async def test_the_loss_on_unseen_episodes_lies_over_that_of_the_run_alone(
    folder: Path, dashboard: OpenDashboard
) -> None:
    with (folder / BREAKOUT / "metrics.jsonl").open("a") as file:
        for step in (100, 200, 300):
            file.write(f'{{"t": 1763690000.5, "step": {step}, "k": "eval", "loss/unseen": {step / 1000}}}\n')
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        loss, returns = grid_of(pilot).charts[:2]
        assert [series.name for series in loss.series] == ["seen", "unseen"]
        assert loss.series[1].y.tolist() == [0.1, 0.2, 0.3]
        assert loss.series[0].raw is not None
        assert [series.name for series in returns.series] == [""]
        assert "B unseen 0.3" in screen_text(pilot.app)


async def test_smoothing_axes_and_follow_have_keys(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=BREAKOUT) as pilot:
        grid = grid_of(pilot)
        loss = grid.charts[0]
        rough = np.abs(np.diff(loss.series[0].y)).mean()
        await pilot.press("plus")
        assert np.abs(np.diff(loss.series[0].y)).mean() < rough
        await pilot.press("0")
        assert loss.series[0].raw is None
        await pilot.press("x")
        assert loss.x_kind == "seconds"
        assert loss.series[0].x[0] == 0
        await pilot.press("x")
        assert loss.series[0].x[-1] == 32 * 400
        await pilot.press("y")
        assert loss.log_y
        await pilot.press("X")
        assert all(chart.log_x for chart in grid.charts)
        await pilot.press("f")
        assert not loss.follow


async def test_one_cursor_moves_in_all_charts(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=BREAKOUT) as pilot:
        await pilot.press("end")
        await pilot.pause()
        places = {chart.cursor_x for chart in grid_of(pilot).charts}
        assert places == {400.0}
        await pilot.press("escape")
        await pilot.pause()
        assert {chart.cursor_x for chart in grid_of(pilot).charts} == {None}
        assert isinstance(pilot.app.screen, RunScreen)


async def test_a_chart_can_be_alone(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=BREAKOUT) as pilot:
        await pilot.press("right_square_bracket", "enter")
        await pilot.pause()
        assert [chart.kind.name for chart in grid_of(pilot).charts if chart.display] == ["return"]
        await pilot.press("escape")
        await pilot.pause()
        assert len([chart for chart in grid_of(pilot).charts if chart.display]) > 1


async def test_panels_log_search_and_all_settings(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=BREAKOUT) as pilot:
        await pilot.press("slash", *"step 300")
        await pilot.pause()
        rows = pilot.app.screen.query_one("#panel-list", Rows)
        assert len(rows.rows) == 2
        await pilot.press("enter", "escape")
        await pilot.pause()
        await pilot.press("a")
        await pilot.pause()
        everything = len(rows.rows)
        await pilot.press("a")
        await pilot.pause()
        assert 0 < len(rows.rows) < everything
        assert "data.ratio" in screen_text(pilot.app)


async def test_a_loss_that_is_no_number_is_an_alert(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=FAILED) as pilot:
        text = screen_text(pilot.app)
        assert "is NaN since step 110" in text
        assert "X failed" in text


async def test_an_alert_that_comes_while_one_watches_is_announced(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        assert not pilot.app._notifications
        with (folder / BREAKOUT / "metrics.jsonl").open("a") as metrics:
            metrics.write('{"t":1790000000,"step":401,"k":"train","loss":"NaN"}\n')
        await look(pilot)
        assert [str(note.message) for note in pilot.app._notifications] == ["loss is NaN since step 401"]


async def test_a_run_that_failed_before_it_began_says_why(tmp_path: Path, dashboard: OpenDashboard) -> None:
    run = make_run(tmp_path / "runs", "a-broken-run-s0-bbbb", steps=0)
    message = "no CUDA device is visible to PyTorch; use --device cpu"
    write_status(run, replace(read_status(run), state="failed", message=message))
    async with dashboard(tmp_path / "runs", attach="a-broken-run-s0-bbbb") as pilot:
        rows = pilot.app.screen.query_one("#panel-list", Rows).rows
        assert message in rows[-1].draw(120).plain


async def test_a_jump_of_the_loss_is_an_alert(tmp_path: Path, dashboard: OpenDashboard) -> None:
    make_run(tmp_path / "runs", "a-jumpy-run-s0-jjjj", steps=300, spike_at=180)
    async with dashboard(tmp_path / "runs", attach="a-jumpy-run-s0-jjjj") as pilot:
        assert "jumped to" in screen_text(pilot.app)


async def test_language_loss_has_a_chart_when_it_is_trained(tmp_path: Path, dashboard: OpenDashboard) -> None:
    make_run(tmp_path / "runs", "a-run-with-words-s0-wwww", steps=120, language=True)
    async with dashboard(tmp_path / "runs", 200, 60, attach="a-run-with-words-s0-wwww") as pilot:
        shown = [chart.kind.name for chart in grid_of(pilot).charts if chart.display]
        assert "language" in shown


async def test_export_writes_every_number_and_a_picture(
    folder: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        await pilot.press("w")
        await pilot.pause()
    lines = (tmp_path / f"{BREAKOUT}.csv").read_text().splitlines()
    assert lines[0] == "metric,step,time,value"
    assert sum(line.startswith("loss,") for line in lines) == 400
    assert "<svg" in (tmp_path / f"{BREAKOUT}-loss.svg").read_text()
    assert (tmp_path / f"{BREAKOUT}-loss.png").read_bytes().startswith(b"\x89PNG")


async def test_commands_are_left_in_the_control_folder(folder: Path, dashboard: OpenDashboard) -> None:
    from tests.tui.screens.test_runs_screen import commands

    async with dashboard(folder, attach=BREAKOUT) as pilot:
        await pilot.press("c", "e", "p")
        await pilot.pause()
        assert commands(folder, BREAKOUT) == ["checkpoint", "eval", "pause"]
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert commands(folder, BREAKOUT)[-1] == "stop"


async def test_a_key_pauses_and_frees_and_the_run_says_what_came_of_it(folder: Path, dashboard: OpenDashboard) -> None:
    run = RunDirectory(folder / BREAKOUT)
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)

        async def show(**changes: object) -> str:
            write_status(run, replace(read_status(run), **changes))  # type: ignore[arg-type]
            app.store._listed_at = -float("inf")
            await look(pilot)
            return screen_text(app)

        await show(device="cuda:0")
        await pilot.press("F")
        await show(device="cpu")
        await pilot.press("F")
        await pilot.pause()
        said = [str(note.message) for note in app._notifications]
        assert said[0] == "asked atari-breakout-1pct s0 (k3f9) to pause and to free its GPU"
        assert said[1].endswith("so there is nothing on a device to free")
        sent = [decode(path.read_bytes()) for path in sorted(run.control.glob("*.json"))]
        assert [(one and one["name"], one and one["free"]) for one in sent] == [("pause", True)] * 2
        with run.events_file.open("a") as events:
            events.write('{"event":"Paused","step":400,"t":1790000000,"freed":1200000000,"message":""}\n')
        text = await show(state="paused", phase=FREED, phase_done=3, phase_total=20)
        assert "P paused" in text
        assert " memory freed   400/1,000 steps" in text
        assert "paused, 1.2 GB of its device given back" in text
        await pilot.press("F")
        await pilot.pause()
        assert "p lets it go on" in str(list(app._notifications)[-1].message)
        assert "cuda:0 has less room" in await show(message="cuda:0 has less room")
        await pilot.press("1")
        assert "memory freed" in await show()


async def test_a_small_terminal_shows_one_panel_at_a_time(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 80, 24, attach=BREAKOUT) as pilot:
        seen = []
        for _ in range(5):
            screen = pilot.app.screen
            assert isinstance(screen, RunScreen)
            seen.append((screen.panel, screen.query_one("#upper").display, screen.query_one("#lower").display))
            await pilot.press("tab")
            await pilot.pause()
        assert seen[0] == ("charts", True, False)
        assert [name for name, _, _ in seen] == ["charts", "events", "log", "settings", "system"]
        assert all(not charts and lower for _, charts, lower in seen[1:])


@pytest.mark.parametrize("panel", ["log", "settings", "system"])
async def test_where_there_is_room_for_one_panel_the_charts_come_before_the_one_of_last_time(
    panel: str, made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, 80, 24, attach=BREAKOUT, view=View(panel=panel)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        assert (screen.panel, screen.query_one("#upper").display) == ("charts", True)
        await pilot.press("tab")
        await pilot.pause()
        assert (screen.panel, screen.query_one("#lower").display) == (panel, True)


async def test_a_terminal_that_becomes_small_keeps_the_charts_and_gives_the_panel_back(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, 120, 40, attach=BREAKOUT, view=View(panel="log")) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        shown = []
        for size in ((80, 24), (120, 40)):
            await pilot.resize_terminal(*size)
            await look(pilot)
            shown.append(screen.panel)
        assert shown == ["charts", "log"]
        screen.query_one("#panel-list").focus()
        await pilot.pause()
        await pilot.resize_terminal(80, 24)
        await look(pilot)
        assert screen.panel == "log", "the list that has the keys stays"


async def test_no_size_breaks_any_screen(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 200, 60, attach=BREAKOUT) as pilot:
        for mode in ("1", "2", "3", "4", "question_mark"):
            await pilot.press(mode)
            for columns, rows in ((30, 8), (61, 19), (100, 32), (160, 20), (12, 4), (120, 40)):
                await pilot.resize_terminal(columns, rows)
                await look(pilot)
        assert isinstance(pilot.app, LamoApp)
        assert pilot.app.failure is None


async def test_a_run_that_was_deleted_says_so(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach="a-run-that-is-gone") as pilot:
        assert "is not in" in screen_text(pilot.app)


async def test_a_setting_changes_while_the_run_works(folder: Path, dashboard: OpenDashboard) -> None:
    from lamo_core.runs.control import ControlInbox
    from lamo_core.runs.directory import RunDirectory

    async with dashboard(folder, attach=BREAKOUT) as pilot:
        await pilot.press("v")
        await pilot.pause()
        await pilot.press("ctrl+u", *"optim.steps=5", "enter")
        await pilot.pause()
        assert "did you mean" in str(pilot.app.screen.query_one(".problem").render())
        await pilot.press("ctrl+u", *"eval.every=50", "enter")
        await pilot.pause()
    came = ControlInbox(RunDirectory(folder / BREAKOUT).control).poll()
    assert [(command.name, command.setting, command.value) for command in came if not isinstance(command, str)] == [
        ("set", "eval.every", "50")
    ]


async def test_settings_are_compared_with_another_run(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        await pilot.press("d")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Reading)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)


def log_of(folder: Path, run_id: str, *lines: str) -> None:
    with (folder / run_id / "log.txt").open("a") as log:
        log.writelines(f"{line}\n" for line in lines)


def shown_lines(pilot: Pilot[None]) -> list[str]:
    return [row.draw(200).plain for row in pilot.app.screen.query_one("#panel-list", Rows).rows]


def window(pilot: Pilot[None]) -> str:
    """Return what a window over the screen says, on one line."""
    parts = [line.split("│")[1] for line in screen_text(pilot.app).splitlines() if line.count("│") == 2]
    return " ".join(" ".join(parts).split())


async def test_a_line_that_is_cut_opens_whole(folder: Path, dashboard: OpenDashboard) -> None:
    long = "UserWarning: [b]a sentence[/b] " + " ".join(f"word{at}" for at in range(90)) + " and the last one"
    log_of(folder, BREAKOUT, long)
    async with dashboard(folder, 80, 24, attach=BREAKOUT) as pilot:
        await pilot.press("tab", "tab", "end")
        await pilot.pause()
        assert "word0" in screen_text(pilot.app)
        assert "last one" not in screen_text(pilot.app)
        await pilot.press("enter")
        await pilot.pause()
        shown = window(pilot)
        assert "[b]a sentence[/b]" in shown
        assert " ".join(f"word{at}" for at in range(90)) + " and the last one" in shown
        await pilot.press("escape")
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        assert screen.panel == "log"


async def test_a_line_longer_than_the_window_scrolls(folder: Path, dashboard: OpenDashboard) -> None:
    log_of(folder, BREAKOUT, " ".join(f"word{at}" for at in range(900)) + " and the last one")
    async with dashboard(folder, 80, 24, attach=BREAKOUT) as pilot:
        await pilot.press("tab", "tab", "end", "enter")
        await pilot.pause()
        assert "word1 word2" in window(pilot)
        assert "last one" not in window(pilot)
        await pilot.press("end")
        await pilot.wait_for_scheduled_animations()
        await pilot.pause()
        assert window(pilot).endswith("the last one esc close ↑↓ scroll")


async def test_events_and_settings_open_whole_too(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, 80, 24, attach=BREAKOUT) as pilot:
        for panel in ("events", "settings"):
            await pilot.press("tab")
            if panel == "settings":
                await pilot.press("tab")
            await pilot.pause()
            row = pilot.app.screen.query_one("#panel-list", Rows)
            wanted = row.rows[row.at].draw(500).plain.split()[-1]
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(pilot.app.screen, Passage)
            assert wanted in screen_text(pilot.app)
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(pilot.app.screen, RunScreen)


async def test_the_log_shows_only_what_is_serious(folder: Path, dashboard: OpenDashboard) -> None:
    log_of(folder, FAILED, "/x/torch.py:3: UserWarning: slow", "  call()", "lamo: the loss is NaN")
    async with dashboard(folder, 160, 40, attach=FAILED) as pilot:
        await pilot.press("L")
        await pilot.pause()
        everything = shown_lines(pilot)
        assert len(everything) > 5
        assert "all lines: L" in screen_text(pilot.app)
        await pilot.press("L")
        await pilot.pause()
        serious = ["UserWarning: slow", "call()", "lamo: the loss is NaN"]
        assert [line for line in shown_lines(pilot) if any(part in line for part in serious)] == shown_lines(pilot)[-3:]
        assert f"warnings and errors: L · 4 of {len(everything)} lines" in screen_text(pilot.app)
        assert shown_lines(pilot)[0].startswith("X "), "the level has a letter, not only a colour"
        await pilot.press("L")
        await pilot.pause()
        assert len(shown_lines(pilot)) == 2
        await pilot.press("L")
        await pilot.pause()
        assert shown_lines(pilot) == everything


async def test_level_search_and_follow_go_together(folder: Path, dashboard: OpenDashboard) -> None:
    log_of(folder, BREAKOUT, *(f"/x/torch.py:{at}: UserWarning: number {at}" for at in range(40)))
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        await pilot.press("L", "L", "slash", *"number 3", "enter")
        await pilot.pause()
        assert len(shown_lines(pilot)) == 11
        assert "with 'number 3' · 11 of" in screen_text(pilot.app)
        assert "follows" in screen_text(pilot.app)
        rows = pilot.app.screen.query_one("#panel-list", Rows)
        log_of(folder, BREAKOUT, "step 500/1,000  number 3 is no warning", "ERROR:root:number 3")
        await look(pilot)
        assert shown_lines(pilot)[-1] == "X ERROR:root:number 3"
        assert rows.at == 11, "it follows what fits"
        await pilot.press("up", "up")
        await pilot.pause()
        assert "end follows" in screen_text(pilot.app)
        here = rows.key
        log_of(folder, BREAKOUT, "ERROR:root:number 33")
        await look(pilot)
        assert (rows.key, len(rows.rows)) == (here, 13)
        await pilot.press("L")
        await pilot.pause()
        assert [line.rpartition(":")[2] for line in shown_lines(pilot)] == ["number 3", "number 33"]
        assert rows.at == 0, "the next line that is shown"


def test_events_count_and_write_numbers_as_people_do() -> None:
    from lamo_tui.screens.run.run_panels import describe

    score = {"mean": 2, "low": 2, "high": 2, "target": 86, "normalised": 1.0, "episodes": 1}
    assert "1 episode," in describe({"event": "EvalDone", "scores": [score], "seconds": 4})[1]
    assert "2 episodes," in describe({"event": "EvalDone", "scores": [score | {"episodes": 2}], "seconds": 4})[1]
    assert describe({"event": "Changed", "name": "eval.every", "value": 700.0})[1] == "eval.every = 700"
    failed = {"event": "EvalFailed", "message": "it blew up", "final": True}
    assert describe(failed) == ("alert", "final evaluation failed: it blew up")


async def test_how_charts_are_drawn_is_not_said_where_none_is_in_view(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, 80, 24, attach=BREAKOUT) as pilot:
        assert "smoothing" in screen_text(pilot.app)
        await pilot.press("tab")
        await pilot.pause()
        assert "smoothing" not in screen_text(pilot.app)


async def test_no_serious_line_is_said_in_words(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 80, 24, attach=BREAKOUT) as pilot:
        await pilot.press("L", "L")
        await pilot.pause()
        assert "no warnings and errors in the log" in screen_text(pilot.app)
        assert "warnings and errors: L" in screen_text(pilot.app)


async def test_a_failed_run_says_why_in_full_at_any_width(folder: Path, dashboard: OpenDashboard) -> None:
    reason = (
        "Hopper is played by mujoco, which is not installed; install it with: python3 -m pip install 'lamo[mujoco]'"
    )
    failed = RunDirectory(folder / FAILED)
    status = replace(read_status(failed), evaluations=(), final=None)
    write_status(failed, replace(status, message=reason))
    async with dashboard(folder, 80, 24, attach=FAILED) as pilot:
        assert reason in " ".join(line.strip() for line in screen_text(pilot.app).splitlines()[1:6])
        assert "not evaluated yet" not in screen_text(pilot.app)
        write_status(failed, replace(status, message=f"{reason} {'and more ' * 15}end"))
        assert isinstance(pilot.app, LamoApp)
        pilot.app.store._listed_at = -float("inf")
        await look(pilot)
        assert "and more end" in screen_text(pilot.app)


async def test_a_run_that_was_made_a_moment_ago_is_opening_and_one_that_is_gone_is_gone(
    folder: Path, dashboard: OpenDashboard
) -> None:
    new = "20261121-020000-atari-pong-1pct-s9-nnew"
    async with dashboard(folder) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        make_run(folder, new, "atari-pong-1pct", steps=10, age=60)
        app.open_run(new)
        await pilot.pause()
        assert f"opening {new}…" in screen_text(app)
        assert "any more" not in screen_text(app)
        app.tick()  # the clock stands still, but who waits for a run has the folder listed at once
        await pilot.pause()
        assert "R running" in screen_text(app)
        app.open_run("20261121-030000-atari-pong-1pct-s9-gone")
        await look(pilot)
        assert "is not in" in screen_text(app)
