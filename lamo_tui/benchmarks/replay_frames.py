"""How long a decision of an episode takes from the player to finished lines of the Replay screen."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.evaluation.replay_file import save_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.player.player import Player
from lamo_core.tasks.rendering.render_env import open_rendered
from lamo_core.workers.conversation import Hear
from lamo_tui.benchmarks.tui import Row
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.replay.replay_screen import ReplayScreen
from lamo_tui.replay.request import Request
from lamo_tui.widgets.cell_widget import Drawn
from lamo_tui.widgets.frame_view import FrameView

SIZE = (120, 40)


class _Direct:
    """A player in this process, so that its time and the screen's can be told apart."""

    def __init__(self, hear: Hear) -> None:
        self.player = Player(hear)

    def send(self, do: str, **values: Any) -> None:
        self.player.handle({"do": do, **values})

    def close(self) -> None:
        self.player.close()


def measure_replay(rounds: int) -> list[Row]:
    """Return the times of the player and of the whole screen at 120 x 40 while a recorded Breakout episode plays."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "random.npz"
        _record(record, rounds + 2)
        return asyncio.run(_measure(record, rounds))


async def _measure(record: Path, rounds: int) -> list[Row]:
    links: list[_Direct] = []

    def new_player(hear: Hear) -> _Direct:
        links.append(_Direct(hear))
        return links[0]

    app = LamoApp(record.parent, follow=False, replay=Request(str(record), play=False), new_player=new_player)
    played, drawn, sent = [], [], []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        view = screen.query_one(FrameView)
        for _ in range(rounds):
            started = time.perf_counter()
            links[0].send("step", by=1)
            told = time.perf_counter()
            screen.on_heard()
            _draw(screen)
            played.append(1000 * (told - started))
            drawn.append(1000 * (time.perf_counter() - told))
            sent.append(view.frame_bytes)
    return [
        Row("replay, player: a decision", float(np.median(played)), float(np.percentile(played, 95))),
        Row(
            "replay, screen: all of it",
            float(np.median(drawn)),
            float(np.percentile(drawn, 95)),
            bytes_per_frame=float(np.mean(sent)),
        ),
    ]


def _draw(screen: ReplayScreen) -> None:
    for widget in (*screen.query(Drawn), *screen.query(FrameView)):
        for row in range(widget.size.height):
            widget.render_line(row)


def _record(path: Path, decisions: int) -> None:
    """Write a record of random play."""
    task = TaskConfig(name="atari-breakout", max_steps=decisions)
    actions = np.random.default_rng(0).integers(0, 4, decisions).astype(np.uint8)
    shown = open_rendered(task)
    shown.reset(0, 0)
    rewards = np.array([shown.step(int(action))[1] for action in actions])
    episode = EpisodeResult(
        target=10.0,
        seed=0,
        noops=0,
        actions=actions,
        rewards=rewards,
        ret=float(rewards.sum()),
        terminated=False,
        truncated=True,
        returns_to_go=np.full(decisions, 10.0, np.float32),
        probabilities=np.full((decisions, 4), 0.25, np.float16),
    )
    save_replay(path, episode, task, {})
