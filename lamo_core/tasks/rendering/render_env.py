"""One environment with pictures: what replays, videos and live play are made of."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.tasks.registry import Array

Picture = NDArray[np.uint8]


class ShownEnv(Protocol):
    """An environment that is looked at: one episode at a time, any moment of it can be kept and come back.

    Seed, no-ops and actions give the same episode as an `EnvBatch` of the same task.
    """

    pictures_per_second: float
    """Decisions per second of play at real speed."""

    def reset(self, seed: int, noops: int) -> Array:
        """Start an episode and return its first observation: (4, 84, 84) uint8 or (O,) float32."""

    def step(self, action: Any) -> tuple[Array, float, bool, bool]:
        """Take one decision; return observation, reward, terminated, truncated."""

    def picture(self) -> Picture:
        """Return what a person would see now, (H, W, 3) uint8."""

    def facts(self) -> dict[str, float]:
        """Return numbers worth showing beside the picture, such as the lives that are left."""

    def clone(self) -> Any:
        """Return the present moment, random numbers included."""

    def restore(self, moment: Any) -> None:
        """Go back to a moment of `clone`."""

    def close(self) -> None:
        """Free the environment."""


def open_shown(config: TaskConfig, *, height: int = 180, pretty: bool = False) -> ShownEnv:
    """Return the configured task as an environment with pictures; loads its library only now.

    `height` is that of simulator pictures in pixels (4:3); Atari pictures are always (210, 160, 3). `pretty` turns
    on shadows, reflections and smooth edges where there are any, which is 10 to 24 times slower. Raises
    `UsageError`, and `MissingError` when the library is not installed.
    """
    from lamo_core.tasks.registry import get_task
    from lamo_core.tasks.requirements import require_environment

    require_environment(config.name)
    if config.name.startswith("gym:"):
        from lamo_core.tasks.rendering.gym import ShownGym

        return ShownGym(config, height=height, pretty=pretty)
    if get_task(config.name).observation == "vector":
        from lamo_core.tasks.rendering.mujoco import ShownVectors

        return ShownVectors(config, height=height, pretty=pretty)
    from lamo_core.tasks.rendering.atari import ShownAtari

    return ShownAtari(config)
