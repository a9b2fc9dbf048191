"""What happens to a run is said while it happens, once, whatever is in view; what was there before is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.status import read_status, write_status
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.state.system import NO_SYSTEM, GpuStats, SystemMeter, SystemStats
from tests.tui.conftest import OpenDashboard, look
from tests.tui.made_runs import NOW, make_run

BREAKOUT = "20261121-014402-atari-breakout-1pct-s0-k3f9"
QBERT = "20261121-010000-atari-qbert-10pct-s1-x2ab"
FAILED = "20261120-150000-atari-breakout-1pct-s6-ff77"
STALLED = "20261120-170000-atari-breakout-1pct-s4-dd55"
PAUSED = "20261120-160000-atari-qbert-1pct-s5-ee66"

Told = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Return what was ever said, with how serious it is; the dashboard itself forgets after some seconds."""
    kept: Told = []
    notify = App.notify

    def keep(self: App[None], message: str, **options: Any) -> None:
        kept.append((message, options.get("severity", "information")))
        notify(self, message, **options)

    monkeypatch.setattr(App, "notify", keep)
    return kept


def said(told: Told) -> list[str]:
    return [text for text, _ in told]


async def later(pilot: Pilot[None], seconds: float = 2.0) -> None:
    """Let time pass, so that the folder is listed again."""
    app = pilot.app
    assert isinstance(app, LamoApp)
    now = app.store._clock() + seconds
    app.store._clock = lambda: now
    await look(pilot)


def grow(folder: Path, run_id: str, *losses: object, first: int = 401) -> None:
    with (folder / run_id / "metrics.jsonl").open("a") as metrics:
        for step, loss in enumerate(losses, first):
            shown = f'"{loss}"' if isinstance(loss, str) else loss
            metrics.write(f'{{"t":{NOW + step},"step":{step},"k":"train","loss":{shown}}}\n')


def change(folder: Path, run_id: str, **changes: object) -> None:
    run = RunDirectory(folder / run_id)
    write_status(run, replace(read_status(run), **changes))  # type: ignore[arg-type]


async def test_nothing_is_said_of_what_was_there_before(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    grow(folder, BREAKOUT, "NaN")
    async with dashboard(folder) as pilot:
        for _ in range(3):
            await later(pilot)
        for run_id in (FAILED, BREAKOUT):
            assert isinstance(pilot.app, LamoApp)
            pilot.app.open_run(run_id)
            await later(pilot)
            assert "is NaN since step" in screen_text(pilot.app), "it is in the list"
        await pilot.press("1")
        await later(pilot)
        assert said(told) == []


@pytest.mark.parametrize("keys", [(), ("question_mark",), ("4",), ("6",), ("5",), ("d",), ("D",), ("ctrl+p",)])
async def test_an_alert_is_said_once_on_whatever_screen(
    keys: tuple[str, ...], folder: Path, dashboard: OpenDashboard, told: Told
) -> None:
    async with dashboard(folder) as pilot:
        await pilot.press(*keys)
        await later(pilot)
        before = len(said(told))
        grow(folder, QBERT, 1.0, "NaN", 1.0, "NaN", first=701)
        for _ in range(3):
            await later(pilot)
        assert said(told)[before:] == ["atari-qbert-10pct s1 (x2ab): loss is NaN since step 702"]
        assert isinstance(pilot.app, LamoApp)
        pilot.app.open_run(QBERT)
        await later(pilot)
        assert len(said(told)) == before + 1


async def test_on_its_own_screen_the_run_needs_no_name(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        grow(folder, BREAKOUT, *[9.0] * 32)
        await look(pilot)
        assert said(told) == ["loss jumped to 9 at step 401 (was about 0.516)"]
        await pilot.press("1")
        grow(folder, BREAKOUT, "Infinity", first=433)
        for _ in range(2):
            await later(pilot)
        await pilot.press("2")
        await later(pilot)
        assert said(told)[1:] == ["atari-breakout-1pct s0 (k3f9): loss is infinite since step 433"]


async def test_a_loss_that_no_longer_falls_is_said(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    async with dashboard(folder) as pilot:
        await later(pilot)
        grow(folder, BREAKOUT, *[0.5] * 400)
        await later(pilot)
        (note,) = said(told)
        assert "loss has hardly fallen since step" in note
        grow(folder, BREAKOUT, *[0.5] * 400, first=801)
        await later(pilot)
        assert len(said(told)) == 1


async def test_values_that_chase_their_own_targets_may_stay(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    with (folder / BREAKOUT / "metrics.jsonl").open("a") as metrics:
        for step in range(401, 1200):
            metrics.write(f'{{"t":{NOW},"step":{step},"k":"train","loss":0.5,"loss/critic":0.1}}\n')
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        assert "hardly fallen" not in screen_text(pilot.app)


async def test_a_run_that_stops_to_answer_fails_or_is_lost(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    async with dashboard(folder) as pilot:
        await later(pilot)
        change(folder, BREAKOUT, heartbeat=NOW - 45)
        await later(pilot)
        await later(pilot)
        change(folder, BREAKOUT, heartbeat=NOW)
        await later(pilot)
        change(folder, BREAKOUT, heartbeat=NOW - 60)
        await later(pilot)
        name = "atari-breakout-1pct s0 (k3f9)"
        stalled = [f"{name}: nothing heard of its process for {time}" for time in ("45s", "1m00")]
        assert said(told) == stalled
        change(folder, BREAKOUT, state="failed", message="cuda:0 is out of memory")
        change(folder, QBERT, pid=7)
        await later(pilot)
        failed = f"{name}: failed: cuda:0 is out of memory"
        lost = "its process is gone without a word; it saved no checkpoint, n sets up another run"
        assert said(told) == [*stalled, failed, f"atari-qbert-10pct s1 (x2ab): {lost}"]
        assert [severity for _, severity in told] == ["warning", "warning", "error", "error"]


async def test_a_paused_run_that_cannot_do_what_it_was_asked_says_so(
    folder: Path, dashboard: OpenDashboard, told: Told
) -> None:
    change(folder, PAUSED, message="an old message")
    async with dashboard(folder) as pilot:
        await later(pilot)
        assert said(told) == []
        for _ in range(2):
            change(folder, PAUSED, message="cuda:0 has less room")
            await later(pilot)
        assert said(told) == ["atari-qbert-1pct s5 (ee66): paused: cuda:0 has less room"]


async def test_an_evaluation_that_failed_is_said_once_while_the_run_goes_on(
    folder: Path, dashboard: OpenDashboard, told: Told
) -> None:
    async with dashboard(folder) as pilot:
        await later(pilot)
        for _ in range(2):
            change(folder, BREAKOUT, message="the evaluation after step 400 failed: the simulator blew up")
            await later(pilot)
        name = "atari-breakout-1pct s0 (k3f9)"
        assert said(told) == [f"{name}: the evaluation after step 400 failed: the simulator blew up"]


async def test_a_run_that_came_later_has_nothing_old(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    async with dashboard(folder) as pilot:
        await later(pilot)
        make_run(folder, "20261121-020000-atari-pong-1pct-s9-nnew", "atari-pong-1pct", steps=20, nan_from=3, seed=9)
        broken = make_run(folder, "20261121-020001-atari-pong-1pct-s8-mnew", "atari-pong-1pct", steps=0, seed=8)
        change(folder, broken.id, state="failed", message="no CUDA device is visible to PyTorch")
        await later(pilot)
        assert said(told) == [
            "atari-pong-1pct s9 (nnew): loss is NaN since step 3",
            "atari-pong-1pct s8 (mnew): failed: no CUDA device is visible to PyTorch",
        ]


async def test_a_run_that_goes_back_is_not_told_of_twice(folder: Path, dashboard: OpenDashboard, told: Told) -> None:
    async with dashboard(folder, attach=BREAKOUT) as pilot:
        grow(folder, BREAKOUT, 1.0, "NaN")
        await later(pilot)
        grow(folder, BREAKOUT, 1.0, "NaN")  # resumed from step 400
        await later(pilot)
        assert said(told) == ["loss is NaN since step 402"]
        grow(folder, BREAKOUT, 1.0, 1.0, "NaN")  # resumed once more, with another rate
        await later(pilot)
        assert said(told)[1:] == ["loss is NaN since step 403"]


class Load(SystemMeter):
    """A machine whose memories are as full as a test says."""

    main = card = 0.5

    def read(self, pids: object) -> SystemStats:
        gpu = GpuStats("H100", 99.0, self.card * 80e9, 80e9, 60.0)
        return replace(NO_SYSTEM, cpu=1.0, cores=2, memory_used=self.main * 16e9, memory_total=16e9, gpus=(gpu,))


async def test_a_memory_that_fills_is_said_once_until_it_was_relieved(
    folder: Path, dashboard: OpenDashboard, told: Told
) -> None:
    async with dashboard(folder) as pilot:
        assert isinstance(pilot.app, LamoApp)
        load = pilot.app.store._meter = Load()
        await later(pilot)
        assert said(told) == []
        for main, card in ((0.5, 0.96), (0.97, 0.93), (0.97, 0.97), (0.5, 0.5), (0.5, 0.96)):
            load.main, load.card = main, card
            await later(pilot, 5.0)
        gpu = "the memory of H100 is nearly full: 76.8 GB of 80.0 GB"
        assert said(told) == [gpu, "this machine's memory is nearly full: 15.5 GB of 16.0 GB", gpu]
