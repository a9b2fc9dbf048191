"""An Atari game with pictures; see `RenderedEnv`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.tasks.atari.area_resize import Pixels
from lamo_core.tasks.atari.atari_emulator import AtariEmulator, EmulatorState
from lamo_core.tasks.environment import Array
from lamo_core.tasks.task import Task


@dataclass(frozen=True)
class _Moment:
    emulator: EmulatorState
    stack: Pixels
    screen: Pixels
    decisions: int


class RenderedAtari:
    """One game on the emulator that replays the bundled data, with the frame stack that a policy sees."""

    pictures_per_second = 15.0

    def __init__(self, config: TaskConfig, task: Task) -> None:
        self._limit = config.max_steps
        self._emulator = AtariEmulator(task.short_name, config.sticky_actions)
        self._stack = np.zeros((4, 84, 84), np.uint8)
        self._restored: Pixels | None = None
        self._decisions = 0

    def reset(self, seed: int, noops: int) -> Array:
        """Start an episode and return (4, 84, 84) uint8, the older three frames empty."""
        self._emulator.reset(seed)
        for _ in range(noops):
            self._emulator.step(0)
        self._decisions = 0
        self._restored = None
        self._stack[:] = 0
        self._stack[-1] = self._emulator.frame()
        return self._stack.copy()

    def step(self, action: Any) -> tuple[Array, float, bool, bool]:
        """Take one decision of four frames; `action` indexes the minimal action set."""
        reward = self._emulator.step(int(action))
        self._restored = None
        self._decisions += 1
        self._stack[:-1] = self._stack[1:]
        self._stack[-1] = self._emulator.frame()
        over = self._emulator.over
        return self._stack.copy(), reward, over, not over and self._decisions >= self._limit

    def picture(self) -> Pixels:
        """Return the newest screen in colour, (210, 160, 3)."""
        # a console that went back to a moment shows its screen only after the next step
        return self._emulator.screen() if self._restored is None else self._restored

    def facts(self) -> dict[str, float]:
        """Return the lives that are left, for games that count them."""
        return {"lives": float(self._emulator.lives)} if self._emulator.lives else {}

    def clone(self) -> _Moment:
        """Return the present moment."""
        return _Moment(self._emulator.clone(), self._stack.copy(), self.picture().copy(), self._decisions)

    def restore(self, moment: _Moment) -> None:
        """Go back to a moment of `clone`."""
        self._emulator.restore(moment.emulator)
        self._stack[:] = moment.stack
        self._restored = moment.screen
        self._decisions = moment.decisions

    def close(self) -> None:
        """Nothing to free: the console goes with the object."""
