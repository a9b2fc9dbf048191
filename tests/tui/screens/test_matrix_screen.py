"""The Matrix screen: a heat map of runs, its pages and what its cells lead to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from lamo_core.runs.index import list_runs
from lamo_tui.dashboard import run_actions
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.screens.matrix_screen import MatrixScreen
from lamo_tui.screens.new_run.new_run import NewRunScreen
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.runs.runs import RunsScreen
from lamo_tui.widgets.heatmap import Heatmap
from tests.tui.conftest import OpenDashboard, look
from tests.tui.made_runs import make_run
from tests.tui.test_pictures import SIZES, check


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two ablations on two shares of Breakout, one of them under way, and two other methods."""
    root = tmp_path_factory.mktemp("compared") / "runs"
    ones = [("atari-breakout-1pct", ()), ("atari-breakout-1pct", ("frozen",)), ("atari-breakout-10pct", ())]
    for place, (preset, ablations) in enumerate(ones):
        for seed in range(3):
            run_id = f"2026112{place}-00000{seed}-{'+'.join([preset, *ablations])}-s{seed}-aaaa"
            age = 9_000.0 - 1000 * place - seed
            make_run(
                root, run_id, preset, steps=200, total=200, seed=seed, ending="finished", age=age, ablations=ablations
            )
    make_run(root, "20261129-000000-atari-breakout-10pct+frozen-s0-bbbb", "atari-breakout-10pct", ablations=["frozen"])
    for method in ("dt", "wiki-rl"):
        run_id = f"20261101-000000-atari-pong-1pct-{method}-s0-{method}xx"[:-1]
        make_run(root, run_id, "atari-pong-1pct", steps=100, total=100, ending="finished", method=method, age=99_999.0)
    return root


async def opened(pilot: Pilot[None]) -> MatrixScreen:
    await pilot.press("6")
    await look(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, MatrixScreen)
    return screen


async def test_cells_are_means_over_seeds_with_intervals(compared: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(compared) as pilot:
        screen = await opened(pilot)
        assert screen.matrix is not None
        assert screen.page == "atari-breakout"
        assert screen.matrix.rows == ("none", "frozen")
        cell = screen.matrix.cells["none", "1%"]
        assert (cell.seeds, cell.finished) == (3, 3)
        text = screen_text(pilot.app)
        assert "Breakout" in text
        assert "1 running" in text
        assert screen.query_one(Heatmap).cell == ("none", "1%"), "the first cell with runs"
        assert "3 finished; enter lists them, t adds a seed" in screen_text(pilot.app)


async def test_enter_lists_the_runs_of_a_cell(compared: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(compared) as pilot:
        await opened(pilot)
        await pilot.press("down", "enter")
        await look(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        assert screen.query_text == "task=atari-breakout ablation=frozen ratio=1% method=lamo"
        assert len(screen.query_one("#run-table", Rows).rows) == 3
        await pilot.press("escape")
        await look(pilot)
        assert len(screen.query_one("#run-table", Rows).rows) == 12


async def test_enter_on_an_empty_cell_sets_up_its_run(compared: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(compared) as pilot:
        await opened(pilot)
        await pilot.press("left", "down", "enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, NewRunScreen)
        assert (screen.choice.parts.task, screen.choice.ratio) == ("atari-breakout", 0.001)
        assert screen.choice.spec.ablations == ("frozen",)
        assert screen.choice.preset == "atari-breakout-0.1pct"
        assert "[x] frozen" in "".join(row.draw(40).plain for row in screen.pickers["ablation"].rows.rows)


async def test_axes_and_pages_change(compared: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(compared) as pilot:
        screen = await opened(pilot)
        await pilot.press("right_square_bracket")
        assert screen.page == "atari-pong"
        await pilot.press("v")
        assert (screen.view.rows, screen.view.columns) == ("method", "ratio")
        assert screen.matrix is not None
        assert screen.matrix.rows == ("lamo", "dt", "wiki-rl")[-len(screen.matrix.rows) :]
        assert {("dt", "1%"), ("wiki-rl", "1%")} == set(screen.matrix.cells)
        await pilot.press("v")
        assert (screen.view.rows, screen.view.page) == ("task", "ratio")
        assert "share of data" in screen_text(pilot.app)
        await pilot.press("v", "v")
        assert screen.page == "atari-pong"  # each axis keeps its page
        await pilot.press("left_square_bracket", "right", "a")
        assert screen.page == "atari-breakout"
        assert screen.query_one(Heatmap).cell == ("none", "10%"), "where it was moved to"
        assert "no-pretraining" in screen_text(pilot.app)


async def test_no_mean_mixes_methods_or_ablations(compared: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(compared) as pilot:
        screen = await opened(pilot)
        await pilot.press("right_square_bracket")
        assert screen.matrix is not None
        assert (screen.held, screen.matrix.cells["none", "1%"].seeds) == ("dt", 1)
        assert "method dt  1 of 2" in screen_text(pilot.app)
        await pilot.press("m")
        assert (screen.held, screen.matrix.cells["none", "1%"].seeds) == ("wiki-rl", 1)
        assert screen._choice(("frozen", "10%")).method == "wiki-rl"
        await pilot.press("m", "left_square_bracket")
        assert screen.held == "lamo", "Breakout has runs of lamo alone"
        await pilot.press("v")
        assert screen.matrix.cells["lamo", "1%"].seeds == 3, "those without an ablation"
        await pilot.press("m")
        assert screen.held == "frozen"
        assert screen.matrix.cells["lamo", "1%"].seeds == 3


async def test_one_more_seed_is_put_into_the_queue(
    compared: Path, tmp_path: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(compared, tmp_path / "runs"))
    monkeypatch.setattr(run_actions, "wait_for_device", lambda root: None)
    async with dashboard(root) as pilot:
        screen = await opened(pilot)
        await pilot.press("down", "t")
        assert isinstance(pilot.app, LamoApp)
        pilot.app.store._listed_at = -float("inf")
        await look(pilot)
        (run,) = [run for run in list_runs(root) if run.state == "queued"]
        assert (run.name, run.settings["seed"]) == ("atari-breakout-1pct+frozen", 3)
        assert screen.matrix is not None
        assert screen.matrix.cells["frozen", "1%"].waiting == 1
        assert "1 queued" in screen_text(pilot.app)


async def test_an_empty_folder_has_cells_to_fill(tmp_path: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(tmp_path / "runs") as pilot:
        await pilot.press("escape")
        screen = await opened(pilot)
        assert screen.matrix is not None
        assert len(screen.matrix.rows) > 10
        assert "nothing was trained for this yet" in screen_text(pilot.app)


async def test_the_papers_number_stands_in_the_facts(tmp_path: Path, dashboard: OpenDashboard) -> None:
    root = tmp_path / "runs"
    run_id = "20261101-000000-mujoco-hopper-1pct-s0-aaaa"
    make_run(root, run_id, "mujoco-hopper-1pct", steps=100, total=100, ending="finished")
    async with dashboard(root) as pilot:
        screen = await opened(pilot)
        assert screen.page == "mujoco-hopper"
        assert "paper, on its data: 52.0 ± 4.6, Table 3" in screen_text(pilot.app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_matrix_looks_as_it_did(size: tuple[int, int], compared: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(compared, *size) as pilot:
        await opened(pilot)
        check("matrix", size, screen_text(pilot.app))
