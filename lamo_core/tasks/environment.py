"""Interfaces of environments: batches that policies are evaluated on, and single ones with pictures."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Array = NDArray[Any]
Picture = NDArray[np.uint8]


class EnvBatch(Protocol):
    """Several environments of one task, stepped together; finished ones wait, they do not start again."""

    size: int

    def reset(self, seeds: IntArray) -> Array:
        """Start one episode per seed, no-op start included, and return the first observations.

        Observations are (N, 4, 84, 84) uint8 for frames, (N, O) float32 for vectors.
        """

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array]:
        """Take one decision each; return observations, rewards (N,) float64, terminated (N,), truncated (N,).

        A finished environment keeps its last observation and its end flags and gives reward 0.
        """

    def noops(self) -> IntArray:
        """Return the no-op decisions made at reset: (seed, no-ops, actions) replays the episode."""

    def close(self) -> None:
        """Free the environments."""


class RenderedEnv(Protocol):
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
