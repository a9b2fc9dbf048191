"""A batch of Gymnasium environments with vector observations, stepped in this process.

A step of the kitchen takes 3 ms, nearly all of it outside of the interpreter's lock, so its environments are shared
out to threads. The others take 0.1 to 0.3 ms, of which handing over to a thread would cost a good part: they are
stepped one after another. Either way every environment sees the same calls in the same order: episodes are the same.

Legend: N environments, O observation features, A action dimensions.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.environment import Array, IntArray
from lamo_core.tasks.task import Task

_MAX_THREADS = 16


def make_environment(config: TaskConfig, task: Task) -> Any:
    """Return one environment of a vector task, without a time limit; raises `UsageError` for one with frames."""
    if task.simulation.environment is None:
        raise UsageError(f"{task.title} has no environment with vector observations")
    return task.simulation.environment(config)


class VectorBatch:
    """`size` episodes of one vector task; see `EnvBatch`. There are no no-op starts."""

    def __init__(self, config: TaskConfig, task: Task, size: int) -> None:
        self.size = size
        self._limit = min(config.max_steps, task.horizon or config.max_steps)
        self._task = task
        self._environments = [make_environment(config, task) for _ in range(size)]
        self._observations: NDArray[np.float32] = np.zeros((size, *task.observation_shape), np.float32)
        self._decisions: IntArray = np.zeros(size, np.int64)
        self._terminated = np.zeros(size, np.bool_)
        self._truncated = np.zeros(size, np.bool_)
        threads = min(size, _cores(), _MAX_THREADS) if task.simulation.threads else 1
        self._threads = ThreadPoolExecutor(threads) if threads > 1 else None

    def reset(self, seeds: IntArray) -> Array:
        """Start the episodes of `seeds` (N,) and return the first observations (N, O) float32."""
        if len(seeds) != self.size:
            raise UsageError(f"{self.size} environments need {self.size} seeds, not {len(seeds)}")
        self._decisions[:] = 0
        self._terminated[:] = False
        self._truncated[:] = False
        for row, (environment, seed) in enumerate(zip(self._environments, seeds, strict=True)):
            self._observations[row] = environment.reset(seed=int(seed))[0]
        return self._observations.copy()

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array]:
        """Take one decision in every unfinished episode; `actions` are (N,) choices, or (N, A) clipped to [-1, 1]."""
        rewards = np.zeros(self.size, np.float64)
        chosen = prepared_actions(actions, self._task)
        shape = (self.size,) if self._task.action_kind == "discrete" else (self.size, self._task.actions)
        if chosen.shape != shape:
            raise UsageError(f"{self.size} environments need actions of shape {shape}")
        live = np.flatnonzero(~(self._terminated | self._truncated))

        def step_one(row: int) -> None:
            observation, reward, terminated, truncated, _ = self._environments[row].step(chosen[row])
            self._observations[row] = observation
            rewards[row] = reward
            self._terminated[row] = terminated
            self._truncated[row] = truncated and not terminated

        # Whatever an environment raises comes out of the iteration.
        for _ in (self._threads.map if self._threads else map)(step_one, live.tolist()):
            pass
        self._decisions[live] += 1
        self._truncated[live] |= ~self._terminated[live] & (self._decisions[live] >= self._limit)
        return self._observations.copy(), rewards, self._terminated.copy(), self._truncated.copy()

    def noops(self) -> IntArray:
        """Return zeros (N,): these tasks start without no-ops."""
        return np.zeros(self.size, np.int64)

    def close(self) -> None:
        """Free the environments and their threads."""
        if self._threads is not None:
            self._threads.shutdown()
        for environment in self._environments:
            environment.close()
        self._environments.clear()


def prepared_actions(actions: Any, task: Task) -> Array:
    """Return choices as int64, or continuous actions as float64 clipped to [-1, 1]."""
    if task.action_kind == "discrete":
        return np.asarray(actions, np.int64)
    return np.clip(np.asarray(actions, np.float64), -1.0, 1.0)


def _cores() -> int:
    """Return how many cores this process may use, which can be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
