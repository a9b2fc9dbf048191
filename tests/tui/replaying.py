"""A dashboard on a replay, with a player in the same process and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from textual.pilot import Pilot

from lamo_core.config import RunConfig, TaskConfig
from lamo_core.evaluation.replay_file import save_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.player.player import Player
from lamo_core.player.sources import Opener
from lamo_core.tasks.rendering.render_env import open_rendered
from lamo_core.workers.conversation import Hear
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.replay.replay_screen import ReplayScreen
from lamo_tui.replay.request import Request
from lamo_tui.state.settings import Settings
from lamo_tui.state.store import RunStore
from lamo_tui.terminal.graphics import Graphics
from tests.tui.made_runs import NOW

OPENER = Opener()
"""Loads each policy once for all tests."""


class DirectPlayer:
    """A player without a process: it obeys at once, and plays when it is told how long."""

    def __init__(self, hear: Hear) -> None:
        self.now = 100.0
        self.told: list[dict[str, Any]] = []
        self.player = Player(hear, OPENER, lambda: self.now)
        self.closed = False

    def send(self, do: str, **values: Any) -> None:
        self.told.append({"do": do, **values})
        self.player.handle({"do": do, **values})

    def close(self) -> None:
        self.closed = True
        self.player.close()

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now <= end:
            wait = self.player.tick()
            if wait is None:
                return
            self.now += max(wait, 1e-3)


class Replaying:
    """What a test of the Replay screen works with."""

    def __init__(self, pilot: Pilot[None], links: list[DirectPlayer]) -> None:
        self.pilot, self.links, self.now = pilot, links, 50.0
        self.screen.clock = lambda: self.now

    @property
    def app(self) -> LamoApp:
        assert isinstance(self.pilot.app, LamoApp)
        return self.pilot.app

    @property
    def screen(self) -> ReplayScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, ReplayScreen)
        return screen

    @property
    def link(self) -> DirectPlayer:
        return self.links[-1]

    @property
    def at(self) -> tuple[int, int]:
        return self.screen.states[0].at, self.screen.states[0].length

    def said(self) -> str:
        """Return what was announced."""
        return "\n".join(str(note.message) for note in self.app._notifications)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def run(self, seconds: float) -> None:
        self.link.run(seconds)
        await self.pilot.pause()


@asynccontextmanager
async def replaying(
    root: Path,
    source: Path | None,
    columns: int = 120,
    rows: int = 40,
    *,
    play: bool = False,
    pixels: Graphics | None = None,
    settings: Settings = Settings(),
    **options: Any,
) -> AsyncIterator[Replaying]:
    """Open a dashboard on the folder `root` that plays `source`."""
    links: list[DirectPlayer] = []

    def new_player(hear: Hear) -> DirectPlayer:
        links.append(DirectPlayer(hear))
        return links[-1]

    request = None if source is None else Request(str(source), options, play)
    store = RunStore(root, clock=lambda: NOW, alive=lambda pid, started: False)
    app = LamoApp(
        root,
        settings=settings,
        store=store,
        clock=lambda: NOW,
        follow=False,
        replay=request,
        pixels=pixels,
        new_player=new_player,
    )
    async with app.run_test(size=(columns, rows)) as pilot:
        app.tick()
        await pilot.pause()
        if request is None:
            app.switch_mode("replay")
            await pilot.pause()
        await pilot.pause()
        yield Replaying(pilot, links)


def make_record(path: Path, decisions: int = 240) -> Path:
    """Write a recorded episode of Breakout that no policy played: made-up actions and probabilities."""
    task = TaskConfig(name="atari-breakout", max_steps=decisions)
    rng = np.random.default_rng(9)
    actions = np.where(np.arange(decisions) % 20 == 0, 1, rng.integers(0, 4, decisions)).astype(np.uint8)
    shown = open_rendered(task)
    shown.reset(3, 2)
    rewards = np.array([shown.step(int(action))[1] for action in actions])
    chances = np.full((decisions, 4), 0.1, np.float16)
    chances[np.arange(decisions), actions] = 0.7
    asked = 20.0 - np.concatenate([[0.0], rewards.cumsum()[:-1]])
    episode = EpisodeResult(
        target=20.0,
        seed=3,
        noops=2,
        actions=actions,
        rewards=rewards,
        ret=float(rewards.sum()),
        terminated=False,
        truncated=True,
        returns_to_go=asked.astype(np.float32),
        probabilities=chances,
    )
    save_replay(path, episode, task, {"name": "made-up s0", "step": 500, "rewards": RunConfig().data.rewards})
    return path
