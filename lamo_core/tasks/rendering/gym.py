"""Any Gymnasium environment with pictures; see `RenderedEnv`."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.environment import Array
from lamo_core.tasks.task import Task
from lamo_core.tasks.vector_batch import prepared_actions

Picture = NDArray[np.uint8]
_USUAL_RATE = 30.0
_SKY, _BAR, _AXIS = (232, 236, 241), (70, 120, 180), (60, 66, 74)


@dataclass(frozen=True)
class _Replayed:
    """A moment of an environment that cannot be copied: how it came about."""

    seed: int
    actions: tuple[Any, ...]


class RenderedGym:
    """One environment that nothing is known of but Gymnasium's interface.

    A moment is the seed and the actions that led to it, and coming back plays them again, so it is exact for every
    environment whose episodes follow from their seed. Pictures come from MuJoCo's state where there is one, else from
    the environment itself, else they are bars of what it observes.
    """

    def __init__(
        self, config: TaskConfig, task: Task, environment: Any, *, height: int = 180, pretty: bool = False
    ) -> None:
        self._task = task
        self._limit = min(config.max_steps, self._task.horizon or config.max_steps)
        self._environment = environment
        self._height = height
        self._observation: NDArray[np.float32] = np.zeros(self._task.observation_shape, np.float32)
        self._largest: NDArray[np.float32] = np.full(self._task.observation_shape, 1e-6, np.float32)
        self._seed = 0
        self._actions: list[Any] = []
        self._simulator = self._open_simulator(pretty)
        self.pictures_per_second = _pictures_per_second(self._environment)

    def reset(self, seed: int, noops: int) -> Array:
        """Start an episode and return (O,) float32; these tasks start without no-ops."""
        self._seed, self._actions = seed, []
        self._observe(self._environment.reset(seed=seed)[0])
        return self._observation.copy()

    def step(self, action: Any) -> tuple[Array, float, bool, bool]:
        """Take one decision: a choice, or (A,) clipped to [-1, 1]."""
        chosen = prepared_actions(action, self._task)
        observation, reward, terminated, truncated, _ = self._environment.step(chosen)
        self._actions.append(chosen.copy())
        self._observe(observation)
        over = bool(terminated)
        cut = bool(truncated) or len(self._actions) >= self._limit
        return self._observation.copy(), reward, over, not over and cut

    def picture(self) -> Picture:
        """Return the present moment, (H, W, 3)."""
        if self._simulator is not None:
            picture: Picture = self._simulator.picture()
            return picture
        # Drawing often needs another package; an environment may also fail in its own way.
        with contextlib.suppress(Exception):
            rendered = np.asarray(self._environment.render())
            if rendered.ndim == 3 and rendered.shape[2] == 3:
                return rendered.astype(np.uint8)
        return _bars(self._observation / self._largest, self._height)

    def facts(self) -> dict[str, float]:
        """Return the first numbers that are observed."""
        return {f"observation {index}": float(value) for index, value in enumerate(self._observation[:4])}

    def clone(self) -> _Replayed:
        """Return the present moment."""
        return _Replayed(self._seed, tuple(self._actions))

    def restore(self, moment: _Replayed) -> None:
        """Go back to a moment of `clone` by playing up to it."""
        self.reset(moment.seed, 0)
        for action in moment.actions:
            self.step(action)

    def close(self) -> None:
        """Free the environment."""
        if self._simulator is not None:
            self._simulator.close()
        self._environment.close()

    def _observe(self, observation: Any) -> None:
        self._observation[:] = observation
        np.maximum(self._largest, np.abs(self._observation), out=self._largest)

    def _open_simulator(self, pretty: bool) -> Any:
        simulator = self._environment.unwrapped
        if type(getattr(simulator, "data", None)).__name__ != "MjData":
            return None
        from lamo_core.tasks.rendering.renderer import SimulatorPictures

        return SimulatorPictures(simulator, self._task.simulation.camera, self._height, pretty=pretty)


def _pictures_per_second(environment: Any) -> float:
    """Return the rate that an environment says it is drawn at, if it says one that can be played."""
    with contextlib.suppress(Exception):
        rate = float(environment.metadata["render_fps"])
        if 0 < rate < math.inf:
            return rate
    return _USUAL_RATE


def _bars(shares: NDArray[np.float32], height: int) -> Picture:
    """Draw numbers from -1 to 1 as bars up and down from a middle line."""
    if height < 8:
        raise UsageError(f"pictures are at least 8 pixels high, not {height}")
    width = height * 4 // 3
    picture = np.full((height, width, 3), _SKY, np.uint8)
    edges = np.linspace(0, width, len(shares) + 1).astype(int)
    middle = height // 2
    for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True):
        top, bottom = sorted((middle, middle - round(float(np.clip(share, -1, 1)) * (middle - 2))))
        gap = 1 if right - left > 3 else 0
        picture[top:bottom, left + gap : right - gap] = _BAR
    picture[middle] = _AXIS
    return picture
