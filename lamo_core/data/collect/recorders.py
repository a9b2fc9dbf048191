"""Environments that write down what is done in them: one episode at a time, for data sets.

Legend: O observation features, A action dimensions.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Protocol

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.data.collect.recorded_games import RecordedEpisode
from lamo_core.data.collect.recorded_vectors import EpisodeBuilder, VectorEpisode
from lamo_core.errors import LamoError
from lamo_core.tasks.atari.atari_batch import noop_start
from lamo_core.tasks.atari.atari_emulator import AtariEmulator
from lamo_core.tasks.environment import Array
from lamo_core.tasks.registry import task_of
from lamo_core.tasks.requirements import require_environment
from lamo_core.tasks.task import Task
from lamo_core.tasks.vector_batch import make_environment, prepared_actions

Episode = VectorEpisode | RecordedEpisode
Step = tuple[Array, float, bool, bool]
"""Observation, reward, terminated, truncated."""


class Recorder(Protocol):
    """Plays and records; the episode of a seed starts as everywhere else in lamo."""

    task: Task

    def begin(self, seed: int, policy: str, noise: float = 0.0) -> Array:
        """Start an episode, forgetting one that is not finished, and return its first observation.

        Observations are (4, 84, 84) uint8 or (O,) float32. `policy` and `noise` say who will play.
        """

    def step(self, action: Any) -> Step:
        """Take one decision: a choice, or (A,) in [-1, 1]."""

    def episode(self) -> Episode:
        """Return what was recorded since `begin`."""

    def close(self) -> None:
        """Free the environment."""


def open_recorder(config: TaskConfig) -> Recorder:
    """Return a recorder of the configured task; raises `UsageError`, and `MissingError` without its library."""
    task = task_of(config)
    require_environment(task)
    return GameRecorder(config, task) if task.observation == "frames" else VectorRecorder(config, task)


class VectorRecorder:
    """Records a task with vector observations."""

    def __init__(self, config: TaskConfig, task: Task) -> None:
        self.task = task
        self._limit = min(config.max_steps, self.task.horizon or config.max_steps)
        self._environment = make_environment(config, task)
        self._builder: EpisodeBuilder | None = None
        self._terminated = False

    def begin(self, seed: int, policy: str, noise: float = 0.0) -> Array:
        """Start an episode and return (O,) float32."""
        observation = self._environment.reset(seed=seed)[0]
        self._builder = EpisodeBuilder(seed, policy, noise, observation)
        self._terminated = False
        return np.asarray(observation, np.float32)

    def step(self, action: Any) -> Step:
        """Take one decision; what is stored is what is played, so actions are rounded to float32 before they act."""
        assert self._builder is not None
        discrete = self.task.action_kind == "discrete"
        kept = np.asarray(action, np.uint8 if discrete else np.float32)
        if not np.isfinite(kept).all():
            raise LamoError(f"whoever plays chose no finite action in step {len(self._builder) + 1}; let another play")
        played = prepared_actions(kept, self.task)
        observation, reward, terminated, truncated, _ = self._environment.step(played)
        self._builder.add(kept if discrete else played.astype(np.float32), observation, reward)
        self._terminated = bool(terminated)
        cut = bool(truncated) or len(self._builder) >= self._limit
        return np.asarray(observation, np.float32), reward, self._terminated, not self._terminated and cut

    def episode(self) -> VectorEpisode:
        """Return what was recorded; needs at least one step."""
        assert self._builder is not None
        return self._builder.finish(self._terminated)

    def close(self) -> None:
        """Free the environment."""
        self._environment.close()


class GameRecorder:
    """Records an Atari game on the emulator that replays action logs."""

    def __init__(self, config: TaskConfig, task: Task) -> None:
        self.task = task
        self._config = config
        self._emulator = AtariEmulator(task.short_name, config.sticky_actions)
        self._stack = np.zeros((4, 84, 84), np.uint8)
        self._start: tuple[int, int, str, float] = (0, 0, "", 0.0)
        self._actions: list[int] = []
        self._rewards: list[int] = []
        self._frames = sha256()

    def begin(self, seed: int, policy: str, noise: float = 0.0) -> Array:
        """Start an episode, no-op start included, and return (4, 84, 84) uint8 with three empty frames."""
        noops = noop_start(seed, self._config.noop_max)
        self._emulator.reset(seed)
        for _ in range(noops):
            self._emulator.step(0)
        self._start = (seed, noops, policy, noise)
        self._actions, self._rewards, self._frames = [], [], sha256()
        self._stack[:] = 0
        return self._look()

    def step(self, action: Any) -> Step:
        """Take one decision; `action` indexes the minimal action set."""
        reward = self._emulator.step(int(action))
        self._actions.append(int(action))
        self._rewards.append(int(reward))
        over = self._emulator.over
        return self._look(), reward, over, not over and len(self._actions) >= self._config.max_steps

    def episode(self) -> RecordedEpisode:
        """Return what was recorded."""
        seed, noops, policy, noise = self._start
        return RecordedEpisode(
            seed=seed,
            noops=noops,
            actions=np.array(self._actions, np.uint8),
            rewards=np.array(self._rewards, np.int32),
            terminated=self._emulator.over,
            policy=policy,
            noise=noise,
            frames_sha256=self._frames.digest(),
        )

    def close(self) -> None:
        """Nothing to free: the console goes with the object."""

    def _look(self) -> Array:
        frame = self._emulator.frame()
        self._frames.update(frame.tobytes())
        self._stack[:-1] = self._stack[1:]
        self._stack[-1] = frame
        return self._stack.copy()
