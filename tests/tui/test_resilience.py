"""No input ends the dashboard: whatever raises in a screen, a panel, a timer or a thread, it goes on and says so."""

from __future__ import annotations

import importlib
import math
import os
import pty
from pathlib import Path
from typing import Any

import pytest
from textual.message_pump import MessagePump
from textual.widget import Widget

import lamo_tui
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import decode, encode
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.dashboard.unexpected import Unexpected
from lamo_tui.format import clock_time
from lamo_tui.resilience import Resilient, ResilientWidget
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.runs.preview import Preview
from lamo_tui.screens.runs.runs import RunsScreen
from lamo_tui.state.store import RunStore
from lamo_tui.terminal.hangup import EXIT, end_without_terminal
from lamo_tui.widgets.words import Static
from tests.tui.conftest import OpenDashboard, look

RUN = "20261121-014402-atari-breakout-1pct-s0-k3f9"


def failing(*_: object, **__: object) -> Any:
    raise OverflowError("\x1b]0;PWN\x07 too large")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


PLACES: dict[str, tuple[type[Any], str]] = {
    "a screen's news": (RunsScreen, "show_snapshot"),
    "a panel's news": (Preview, "show"),
    "what is composed": (Preview, "compose"),
    "the start of a screen": (RunsScreen, "on_mount"),
    "what is drawn": (Static, "render"),
    "lines that are drawn": (Rows, "render_line"),
    "what a key does": (RunsScreen, "action_sort"),
    "a look at the folder": (RunStore, "poll"),
}


@pytest.mark.parametrize("place", PLACES)
async def test_an_error_anywhere_is_told_and_the_dashboard_goes_on(
    folder: Path, cache: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    kind, name = PLACES[place]
    monkeypatch.setattr(kind, name, failing)
    async with dashboard(folder, endures=True) as pilot:
        await pilot.press("o")
        app = pilot.app
        assert isinstance(app, LamoApp)
        await look(pilot)
        told, shown = app.unexpected.told, screen_text(app)
        assert "OverflowError" in told[0]
        assert not any("\x1b" in sentence for sentence in told)
        assert "PWN" in (cache / "dashboard-error.txt").read_text()
        if name in ("render", "render_line"):
            assert "cannot be shown (OverflowError" in shown
        for mode in ("help", "settings", "runs"):
            app.action_mode(mode)
            await look(pilot)
            assert app.current_mode == mode
        assert app.is_running


def test_an_error_is_told_again_after_a_while_and_written_once(cache: Path) -> None:
    now, unexpected = [0.0], Unexpected(lambda: now[0])

    def fail() -> Exception:
        try:
            failing()
        except OverflowError as error:
            return error
        raise AssertionError

    assert unexpected.take(fail()) is not None
    assert unexpected.take(fail()) is None
    now[0] = 100.0
    assert unexpected.take(fail()) is not None
    assert (cache / "dashboard-error.txt").read_text().count("Traceback") == 1


@pytest.mark.parametrize("moment", [1e300, -1e300, math.nan, math.inf, 1e12, 10**400])
def test_a_moment_that_is_on_no_clock_has_a_mark(moment: float) -> None:
    assert clock_time(moment, "%H:%M") == "?" or moment == 1e12


async def test_absurd_numbers_in_a_run_are_shown_on_every_screen(folder: Path, dashboard: OpenDashboard) -> None:
    run = RunDirectory(folder / RUN)
    info = decode(run.run_file.read_bytes())
    run.run_file.write_text(encode({**(info or {}), "created": 1e300}))
    records = [{"event": "Note", "t": value, "step": value, "text": "x"} for value in ("NaN", 1e300, -1e300, 10**300)]
    records += [{"event": "EvalDone", "scores": [{"mean": 10**400, "episodes": 10**400}], "seconds": 10**400}]
    records += [{"event": "Started", "step": 10**400, "episodes": 10**400, "trainable": 10**400}]
    with run.events_file.open("a") as events:
        events.writelines(encode(record) + "\n" for record in records)
    async with dashboard(folder, 160, 50, attach=RUN) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        for mode in ("runs", "run", "matrix"):
            app.action_mode(mode)
            await look(pilot)
        app.action_mode("run")
        for _ in range(4):
            await pilot.press("tab")
            await look(pilot)


def test_the_dashboard_ends_when_its_terminal_goes_away(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    done: list[object] = []
    thread = end_without_terminal(lambda: done.append("kept"), theirs, done.append)
    os.close(ours)
    thread.join(30)
    os.close(theirs)
    assert done == ["kept", EXIT]


def test_what_textual_calls_of_ours_goes_on_after_an_error() -> None:
    for path in Path(lamo_tui.__file__).parent.rglob("*.py"):
        if "class " in path.read_text() and "benchmarks" not in path.parts and path.name != "__main__.py":
            importlib.import_module(
                ".".join(path.relative_to(Path(lamo_tui.__file__).parents[1]).with_suffix("").parts)
            )
    todo, ours = [MessagePump], set()
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        ours |= {kind} if kind.__module__.startswith("lamo_tui.") and "benchmarks" not in kind.__module__ else set()
    assert len(ours) > 30
    for kind in ours - {Resilient, ResilientWidget}:
        assert issubclass(kind, ResilientWidget if issubclass(kind, Widget) else Resilient), kind
