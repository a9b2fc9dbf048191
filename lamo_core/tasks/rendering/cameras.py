"""Cameras of simulator pictures, the same for OpenGL and for schematic drawings."""

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


def whole_view(model: Any, data: Any) -> View:
    """Return a view of everything from the side, for tasks without a camera of their own."""
    x, y, z = (float(value) for value in data.subtree_com[0])
    return View((x, y, z), 1.5 * float(model.stat.extent), 90.0, -20.0)
