"""Where a spectator stands: one view per MuJoCo task, for simulator pictures and schematic drawings alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIELD_OF_VIEW = 45.0
"""Degrees from the lower to the upper edge of a picture; MuJoCo's default."""


@dataclass(frozen=True)
class View:
    """A camera that looks at a place; angles in degrees, lengths in metres."""

    lookat: tuple[float, float, float]
    distance: float
    azimuth: float
    elevation: float

    def axes(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the camera's place and its directions to the right, upwards and forwards, (3,) each."""
        azimuth, elevation = np.radians(self.azimuth), np.radians(self.elevation)
        forward = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        return np.array(self.lookat) - self.distance * forward, right, np.cross(right, forward), forward


_FOLLOWED = {"mujoco-hopper": (0.75, 3.6), "mujoco-halfcheetah": (0.4, 3.2), "mujoco-walker2d": (0.8, 3.8)}
"""Height that is looked at, and distance; the camera follows the body along x alone, so that hops are seen."""
_REACHER2D = View((0.0, 0.0, 0.0), 3.0, 90.0, -90.0)
_KITCHEN = View((-0.2, 0.5, 2.0), 2.2, 70.0, -35.0)


def view_of(task_name: str, model: Any, data: Any) -> View:
    """Return the view of a moment; tasks without one of their own are seen whole, from the side."""
    if task_name in _FOLLOWED:
        height, distance = _FOLLOWED[task_name]
        return View((float(data.qpos[0]), 0.0, height), distance, 90.0, -8.0)
    if task_name == "mujoco-reacher2d":
        return _REACHER2D
    if task_name.startswith("kitchen-"):
        return _KITCHEN
    x, y, z = (float(value) for value in data.subtree_com[0])
    return View((x, y, z), 1.5 * float(model.stat.extent), 90.0, -20.0)
