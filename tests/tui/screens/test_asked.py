"""Asked and achieved: one key plays a sweep of targets in a process, here a made-up one, and draws what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import plain
from lamo_core.runs.target_sweep_file import AskedReturns, AskedScore, read_asked, write_asked
from lamo_tui.dashboard import target_sweep_jobs as desks
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.messages import AskedHeard
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.dashboard.target_sweep_jobs import Desk
from lamo_tui.screens.run.grid_chart import GridChart
from lamo_tui.screens.run.run import RunScreen
from lamo_tui.screens.run.target_sweep_screen import AskedScreen
from lamo_tui.state.settings import Settings
from tests.tui.conftest import OpenDashboard, look

BREAKOUT = "20261121-014402-atari-breakout-1pct-s0-k3f9"
OTHER = "20261120-150000-atari-breakout-1pct-s6-ff77"
FOUND = AskedReturns(
    400,
    False,
    10.0,
    22.5,
    50.0,
    (44.0,),
    0.75,
    tuple(AskedScore(target, target / 2, target / 2 - 3, target / 2 + 3, 5) for target in (10.0, 20.0, 40.0, 60.0)),
)


class MadeUp:
    """A process that says what it is told to."""

    def __init__(self, run: RunDirectory, hear: Callable[[dict[str, Any], bytes], None]) -> None:
        self.run, self._hear, self.closed = run, hear, False

    def say(self, kind: str, **values: Any) -> None:
        self._hear({"kind": kind, **values}, b"")

    def send(self, do: str, **values: Any) -> None:
        raise AssertionError("nothing is sent to it")

    def close(self) -> None:
        self.closed = True


def played(pilot: Pilot[None]) -> list[MadeUp]:
    """Let the dashboard start made-up processes, and return those that it starts."""
    app, started = pilot.app, list[MadeUp]()
    assert isinstance(app, LamoApp)

    def start(run: RunDirectory, hear: Callable[[dict[str, Any], bytes], None]) -> MadeUp:
        started.append(MadeUp(run, hear))
        return started[-1]

    app.desk = Desk(lambda: app.post_message(AskedHeard()), start)
    return started


def checkpoint(folder: Path, run_id: str = BREAKOUT) -> None:
    path = RunDirectory(folder / run_id).last_checkpoint
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")


def said(pilot: Pilot[None]) -> str:
    return "\n".join(str(note.message) for note in pilot.app._notifications)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_a_key_plays_and_then_draws_asked_against_achieved(
    size: tuple[int, int], folder: Path, dashboard: OpenDashboard
) -> None:
    checkpoint(folder)
    async with dashboard(folder, *size, attach=BREAKOUT) as pilot:
        links = played(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert isinstance(pilot.app.screen, AskedScreen)
        assert [link.run.id for link in links] == [BREAKOUT]
        assert "loading the policy" in screen_text(pilot.app)
        links[0].say("progress", done=5, total=20, steps=1200)
        await pilot.pause()
        assert "5 of 20 episodes, 1,200 decisions" in screen_text(pilot.app)
        links[0].say("done", note="", found=plain(FOUND))
        await pilot.pause()
        chart = pilot.app.screen.query_one(GridChart)
        asked, achieved = chart.series
        assert (asked.name, asked.x.tolist(), asked.y.tolist()) == ("as asked", [10, 20, 40, 60], [10, 20, 40, 60])
        assert achieved.y.tolist() == [5, 10, 20, 30]
        assert achieved.low is not None
        assert achieved.high is not None
        assert (achieved.low.tolist(), achieved.high.tolist()) == ([2, 7, 17, 27], [8, 13, 23, 33])
        assert [(line.name, line.y) for line in chart.references] == [("data mean", 22.5)]
        text = screen_text(pilot.app)
        assert "target 44" in text
        assert "best of the data 50" in text
        assert "┊" in text
        assert "rank correlation 0.75" in text
        assert [line.split()[:5] for line in text.splitlines() if "beyond the data" in line] == [
            ["60", "30", "27", "to", "33"]
        ]
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)
        await pilot.press("t")
        await pilot.pause()
        assert "rank correlation 0.75" in screen_text(pilot.app)
        assert len(links) == 1, "what is known is not played again"


async def test_what_a_run_keeps_is_there_at_once_and_played_anew_by_a_key(
    folder: Path, dashboard: OpenDashboard
) -> None:
    write_asked(RunDirectory(folder / BREAKOUT), replace(FOUND, step=300))
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        links = played(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert not links
        assert "the run is at step 400: r asks again" in screen_text(pilot.app)
        await pilot.press("r")
        await pilot.pause()
        assert "has no checkpoint yet" in said(pilot)
        checkpoint(folder)
        await pilot.press("r", "r")
        await pilot.pause()
        assert len(links) == 1, "once at a time"
        assert "achieved" in screen_text(pilot.app), "what was known stays in view"
        links[0].say("done", note="shown, but not kept: could not write it", found=plain(FOUND))
        await pilot.pause()
        assert "shown, but not kept" in screen_text(pilot.app)
        assert "r asks again" not in screen_text(pilot.app)
        kept = read_asked(RunDirectory(folder / BREAKOUT))
        assert kept is not None
        assert kept.step == 300


async def test_without_a_checkpoint_a_sentence_says_so(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        links = played(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)
        assert f"{BREAKOUT} has no checkpoint yet" in said(pilot)
        assert not links


@pytest.mark.parametrize(
    ("kind", "text"), [("error", "bc is told no return"), ("gone", "the process has ended (Killed); r asks again")]
)
async def test_what_goes_wrong_is_said_and_can_be_tried_again(
    kind: str, text: str, folder: Path, dashboard: OpenDashboard
) -> None:
    checkpoint(folder)
    async with dashboard(folder, 80, 24, attach=BREAKOUT) as pilot:
        links = played(pilot)
        await pilot.press("t")
        await pilot.pause()
        links[0].say(kind, text=text)
        await pilot.pause()
        assert text in screen_text(pilot.app)
        await pilot.press("r")
        await pilot.pause()
        assert text not in screen_text(pilot.app)
        assert links[0].closed
        assert len(links) == 2


async def test_one_plays_at_a_time_and_goes_on_when_one_looks_elsewhere(folder: Path, dashboard: OpenDashboard) -> None:
    checkpoint(folder)
    checkpoint(folder, OTHER)
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        app, links = pilot.app, played(pilot)
        assert isinstance(app, LamoApp)
        await pilot.press("t", "escape")
        await pilot.pause()
        assert not links[0].closed
        app.open_run(OTHER)
        await look(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert f"{BREAKOUT} is being asked for returns" in said(pilot)
        links[0].say("done", note="", found=plain(FOUND))
        await pilot.pause()
        assert "asked and achieved is there" in said(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert [link.run.id for link in links] == [BREAKOUT, OTHER]


async def test_it_can_be_stopped_and_ends_with_the_dashboard(folder: Path, dashboard: OpenDashboard) -> None:
    checkpoint(folder)
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        links = played(pilot)
        await pilot.press("t", "s")
        await pilot.pause()
        assert links[0].closed
        assert "stopped: r asks again" in screen_text(pilot.app)
        links[0].say("progress", done=1, total=2, steps=3)  # said before it heard
        await pilot.press("r")
        await pilot.pause()
        assert not links[1].closed
    assert links[1].closed


async def test_from_the_list_of_runs_it_is_the_same_key(folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(folder) as pilot:
        played(pilot)
        app = pilot.app
        assert isinstance(app, LamoApp)
        write_asked(app.snapshot.runs[0].run, FOUND)
        await pilot.press("t")
        await pilot.pause()
        assert isinstance(app.screen, AskedScreen)
        assert app.snapshot.runs[0].id in screen_text(app)


async def test_a_key_writes_numbers_and_pictures(
    folder: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint(folder)
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        links = played(pilot)
        await pilot.press("t", "w")
        await pilot.pause()
        assert "there is nothing to write yet" in said(pilot)
        links[0].say("done", note="", found=plain(FOUND))
        await pilot.press("w")
        await pilot.pause()
        assert f"wrote {BREAKOUT}-asked.csv, {BREAKOUT}-asked.svg and the same as PNG" in said(pilot)
    lines = (tmp_path / f"{BREAKOUT}-asked.csv").read_text().splitlines()
    assert lines[:2] == ["target,episodes,mean,low,high", "10.0,5,5.0,2.0,8.0"]
    assert len(lines) == 5
    picture = (tmp_path / f"{BREAKOUT}-asked.svg").read_text()
    for words in ("achieved return", "asked", "target 44", "best of the data 50", "data mean 22.5", "A  achieved"):
        assert f">{words}<" in picture
    assert (tmp_path / f"{BREAKOUT}-asked.png").read_bytes().startswith(b"\x89PNG")


async def test_what_a_run_keeps_is_read_once_and_again_when_it_is_another(
    folder: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, reads = RunDirectory(folder / BREAKOUT), list[AskedReturns | None]()
    monkeypatch.setattr(desks, "read_asked", lambda run: reads.append(read_asked(run)) or reads[-1])
    write_asked(run, FOUND)
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        await pilot.press("t")
        for _ in range(3):
            await look(pilot)
        assert reads == [FOUND]
        write_asked(run, replace(FOUND, rank_correlation=0.5))
        await look(pilot)
        assert len(reads) == 2
        assert "rank correlation 0.50" in screen_text(pilot.app)
        run.asked_file.unlink()
        await look(pilot)
        assert "rank correlation" not in screen_text(pilot.app)


async def test_clipped_rewards_have_no_line_of_equality(folder: Path, dashboard: OpenDashboard) -> None:
    write_asked(RunDirectory(folder / BREAKOUT), replace(FOUND, clipped=True))
    async with dashboard(folder, attach=BREAKOUT, settings=Settings(ascii=True)) as pilot:
        await pilot.press("t")
        await pilot.pause()
        chart = pilot.app.screen.query_one(GridChart)
        assert [series.name for series in chart.series] == ["achieved"]
        assert not chart.references
        assert "need not be equal" in screen_text(pilot.app)
        assert "| target 44" in screen_text(pilot.app)
        assert screen_text(pilot.app).isascii()
