"""A MuJoCo task with pictures; see `ShownEnv`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.gl_pictures import GlPictures
from lamo_core.tasks.moments import Moment, put_moment, take_moment
from lamo_core.tasks.picture_backend import DRAWING, choose_backend
from lamo_core.tasks.registry import Array, get_task
from lamo_core.tasks.schematic import SchematicPictures
from lamo_core.tasks.vector_batch import make_environment
from lamo_core.tasks.views import View, view_of

Picture = NDArray[np.uint8]
_MIN_HEIGHT, _MAX_HEIGHT = 24, 2_160


class _Pictures(Protocol):
    def picture(self, data: Any, view: View) -> Picture: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class _ShownMoment:
    simulation: Moment
    observation: Array
    decisions: int
    earned: float


class ShownVectors:
    """One environment of Hopper, HalfCheetah, Walker2d, Reacher2d or the kitchen, played as `VectorBatch` plays it.

    Pictures are (`height`, 4/3 `height`, 3), drawn by OpenGL where that works without a screen, else as a schematic
    drawing; `backend` names a way of `choose_backend`. The way is chosen at the first picture, and an object belongs to
    the thread that asks for it. Raises `UsageError`.
    """

    def __init__(self, config: TaskConfig, *, height: int = 180, pretty: bool = False, backend: str = "") -> None:
        if not _MIN_HEIGHT <= height <= _MAX_HEIGHT:
            raise UsageError(f"pictures are {_MIN_HEIGHT} to {_MAX_HEIGHT} pixels high, not {height}")
        task = get_task(config.name)
        self._name = config.name
        self._limit = min(config.max_steps, task.horizon or config.max_steps)
        self._environment = make_environment(config)
        self._simulator: Any = self._environment.unwrapped
        self._size = (height * 4 // 3, height)
        self._pretty, self._wanted = pretty, backend
        self._pictures: _Pictures | None = None
        self._observation: NDArray[np.float32] = np.zeros(task.observation_shape, np.float32)
        self._decisions = 0
        self._earned = 0.0
        self.pictures_per_second = 1.0 / _seconds_per_decision(self._environment)

    @property
    def backend(self) -> str:
        """How pictures are drawn: `egl`, `osmesa`, … or `drawing`."""
        return DRAWING if isinstance(self._drawn(), SchematicPictures) else choose_backend(self._wanted)

    def reset(self, seed: int, noops: int) -> Array:
        """Start an episode and return (O,) float32; these tasks start without no-ops."""
        self._observation[:] = self._environment.reset(seed=seed)[0]
        self._decisions, self._earned = 0, 0.0
        return self._observation.copy()

    def step(self, action: Any) -> tuple[Array, float, bool, bool]:
        """Take one decision; `action` (A,) is clipped to [-1, 1]."""
        chosen = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        observation, reward, terminated, _, _ = self._environment.step(chosen)
        self._observation[:] = observation
        self._decisions += 1
        self._earned += float(reward)
        over = bool(terminated)
        return self._observation.copy(), float(reward), over, not over and self._decisions >= self._limit

    def picture(self) -> Picture:
        """Return the present moment, (H, W, 3)."""
        simulator = self._simulator
        # A step leaves the places of bodies one physics step behind the joints, and a restored moment has none.
        mujoco.mj_kinematics(simulator.model, simulator.data)
        mujoco.mj_comPos(simulator.model, simulator.data)
        mujoco.mj_camlight(simulator.model, simulator.data)
        view = view_of(self._name, simulator.model, simulator.data)
        return self._drawn().picture(simulator.data, view)

    def facts(self) -> dict[str, float]:
        """Return where the body is, how near the fingertip, or how many subtasks are solved."""
        data = self._simulator.data
        if self._name.startswith("kitchen-"):
            return {"subtasks": self._earned}
        if self._name == "mujoco-reacher2d":
            return {"distance": float(np.abs(self._observation[10:12]).sum())}
        return {"x": float(data.qpos[0]), "speed": float(data.qvel[0])}

    def clone(self) -> _ShownMoment:
        """Return the present moment: some kilobytes."""
        return _ShownMoment(take_moment(self._environment), self._observation.copy(), self._decisions, self._earned)

    def restore(self, moment: _ShownMoment) -> None:
        """Go back to a moment of `clone`; what follows is the same to the last bit."""
        put_moment(self._environment, moment.simulation)
        self._observation[:] = moment.observation
        self._decisions, self._earned = moment.decisions, moment.earned

    def close(self) -> None:
        """Free the environment and the OpenGL context."""
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None
        self._environment.close()

    def _drawn(self) -> _Pictures:
        if self._pictures is None:
            self._pictures = self._open_pictures()
        return self._pictures

    def _open_pictures(self) -> _Pictures:
        model, (width, height) = self._simulator.model, self._size
        backend = choose_backend(self._wanted)
        if backend != DRAWING:
            # A library may still refuse this process or this size; a drawing is better than nothing.
            with contextlib.suppress(Exception):
                return GlPictures(model, backend, width, height, pretty=self._pretty)
        return SchematicPictures(model, width, height)


def _seconds_per_decision(environment: Any) -> float:
    simulator = environment.unwrapped
    return float(getattr(simulator, "robot_env", simulator).dt)
