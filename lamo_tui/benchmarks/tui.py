"""How long a chart and a game's frame take to draw, and how many bytes a frame sends to the terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from textual.app import App, ComposeResult
from textual.widget import Widget

from lamo_core.wording import counted
from lamo_tui.widgets.charts.chart import Chart
from lamo_tui.widgets.charts.series import Series
from lamo_tui.widgets.charts.smoothing import ema
from lamo_tui.widgets.frame_view import FrameView
from lamo_tui.widgets.palette import colour_of

CHART_SIZE = (120, 30)
FRAME_SIZE = (80, 52)


@dataclass(frozen=True)
class Row:
    """One measurement: what, its median and 95th percentile in milliseconds, and bytes per frame where they count."""

    name: str
    median_ms: float
    slow_ms: float
    bytes_per_frame: float | None = None


class _Stage(App[None]):
    """An application that shows one widget and nothing else."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


def measure_tui(points: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000), rounds: int = 30) -> list[Row]:
    """Return the times of charts of so many points, and of Atari frames; takes some seconds, needs ale-py."""
    return [*measure_charts(points, rounds), *measure_frames(max(60, 4 * rounds))]


def measure_charts(points: tuple[int, ...], rounds: int) -> list[Row]:
    """Return the time from new data to finished lines at 120 x 30 cells, and once with smoothing."""
    rows = []
    for count in points:
        rows.append(_chart_row(f"chart, {counted(count, 'point')}", count, rounds, smoothing=0.0))
    rows.append(_chart_row("chart, 100,000 points, smoothed, raw behind", 100_000, rounds, smoothing=0.99))
    return rows


def _chart_row(name: str, count: int, rounds: int, smoothing: float) -> Row:
    chart = Chart("loss")
    noise = np.random.default_rng(0).normal(0.0, 0.1, count + rounds)
    x = np.arange(count + rounds, dtype=np.float64)
    y = np.exp(-x / count) + noise

    def draw(number: int) -> None:
        end = count + number
        raw = y[:end] if smoothing else None
        chart.set_series([Series("run", x[:end], ema(y[:end], smoothing), colour_of(0), raw=raw)])
        for row in range(CHART_SIZE[1]):
            chart.render_line(row)

    return Row(name, *asyncio.run(_timed(chart, CHART_SIZE, draw, rounds)))


def measure_frames(rounds: int) -> list[Row]:
    """Return the time of an Atari frame from pixels to finished lines, and its bytes, while random actions play."""
    rows = []
    for game in ("breakout", "qbert", "pong"):
        view = FrameView()
        screens = list(_screens(game, rounds + 1))
        sent: list[int] = []

        def draw(number: int, view: FrameView = view, sent: list[int] = sent, screens: list[Frame] = screens) -> None:
            view.show(screens[number])
            sent.append(view.frame_bytes)
            for row in range(FRAME_SIZE[1]):
                view.render_line(row)

        times = asyncio.run(_timed(view, FRAME_SIZE, draw, rounds))
        rows.append(Row(f"frame, {game}", *times, bytes_per_frame=float(np.mean(sent[1:]))))
    return rows


Frame = NDArray[np.uint8]


def _screens(game: str, count: int) -> Iterator[Frame]:
    from lamo_core.tasks.atari.atari_emulator import AtariEmulator

    emulator = AtariEmulator(game, frame_skip=1)
    emulator.reset(0)
    actions = np.random.default_rng(0).integers(emulator.actions, size=count // 4 + 1)
    for frame in range(count):
        if emulator.over:
            emulator.reset(frame)
        emulator.step(int(actions[frame // 4]))
        yield emulator.screen()


async def _timed(
    widget: Widget, size: tuple[int, int], draw: Callable[[int], None], rounds: int
) -> tuple[float, float]:
    """Return median and 95th percentile of the milliseconds that `draw` takes; the first call warms up."""
    async with _Stage(widget).run_test(size=size):
        times = []
        for number in range(rounds + 1):
            started = time.perf_counter()
            draw(number)
            times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times[1:])), float(np.percentile(times[1:], 95))
