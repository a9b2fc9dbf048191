"""A MuJoCo task with pictures; see `RenderedEnv`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.tasks.environment import Array
from lamo_core.tasks.rendering.renderer import Picture, SimulatorPictures
from lamo_core.tasks.rendering.simulator_state import Moment, put_moment, take_moment
from lamo_core.tasks.task import Task
from lamo_core.tasks.vector_batch import make_environment, prepared_actions


@dataclass(frozen=True)
class _ShownMoment:
    simulation: Moment
    observation: Array
    decisions: int
    earned: float


class RenderedSimulator:
    """One environment of Hopper, HalfCheetah, Walker2d, Reacher2d or the kitchen, played as `VectorBatch` plays it.

    Pictures are (`height`, 4/3 `height`, 3), drawn by OpenGL where that works without a screen, else as a schematic
    drawing; `backend` names a way of `choose_backend`. The way is chosen at the first picture, and an object belongs to
    the thread that asks for it. Raises `UsageError`.
    """

    def __init__(
        self, config: TaskConfig, task: Task, *, height: int = 180, pretty: bool = False, backend: str = ""
    ) -> None:
        self._limit = min(config.max_steps, task.horizon or config.max_steps)
        self._environment = make_environment(config, task)
        self._simulator: Any = self._environment.unwrapped
        self._task = task
        self._pictures = SimulatorPictures(
            self._simulator, task.simulation.camera, height, pretty=pretty, backend=backend
        )
        self._observation: NDArray[np.float32] = np.zeros(task.observation_shape, np.float32)
        self._decisions = 0
        self._earned = 0.0
        self.pictures_per_second = 1.0 / _seconds_per_decision(self._environment)

    @property
    def backend(self) -> str:
        """How pictures are drawn: `egl`, `osmesa`, … or `drawing`."""
        return self._pictures.backend

    def reset(self, seed: int, noops: int) -> Array:
        """Start an episode and return (O,) float32; these tasks start without no-ops."""
        self._observation[:] = self._environment.reset(seed=seed)[0]
        self._decisions, self._earned = 0, 0.0
        return self._observation.copy()

    def step(self, action: Any) -> tuple[Array, float, bool, bool]:
        """Take one decision; `action` (A,) is clipped to [-1, 1]."""
        observation, reward, terminated, _, _ = self._environment.step(prepared_actions(action, self._task))
        self._observation[:] = observation
        self._decisions += 1
        self._earned += float(reward)
        over = bool(terminated)
        return self._observation.copy(), float(reward), over, not over and self._decisions >= self._limit

    def picture(self) -> Picture:
        """Return the present moment, (H, W, 3)."""
        return self._pictures.picture()

    def facts(self) -> dict[str, float]:
        """Return the task's own facts: where the body is, how near the fingertip, how many subtasks are solved."""
        return self._task.simulation.facts(self._simulator, self._observation, self._earned)

    def clone(self) -> _ShownMoment:
        """Return the present moment: some kilobytes."""
        return _ShownMoment(take_moment(self._environment), self._observation.copy(), self._decisions, self._earned)

    def restore(self, moment: _ShownMoment) -> None:
        """Go back to a moment of `clone`; what follows is the same bit for bit."""
        put_moment(self._environment, moment.simulation)
        self._observation[:] = moment.observation
        self._decisions, self._earned = moment.decisions, moment.earned

    def close(self) -> None:
        """Free the environment and the OpenGL context."""
        self._pictures.close()
        self._environment.close()


def _seconds_per_decision(environment: Any) -> float:
    simulator = environment.unwrapped
    return float(getattr(simulator, "robot_env", simulator).dt)
