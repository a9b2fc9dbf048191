"""Schematic pictures of a MuJoCo simulation without any graphics library: its shapes as rods and boxes."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from lamo_core.tasks.rendering.cameras import View
from lamo_core.tasks.rendering.rasterizer import Canvas, Floats, Picture

_Type = mujoco.mjtGeom
_SIDES = 10
"""Of the prism that stands for a flat cylinder."""
_SHOWN_GROUPS = 3
"""MuJoCo shows groups 0 to 2; the shapes of collisions lie in higher ones."""
_FAINT = 0.15
"""Shapes more transparent than this are left out."""


class SchematicPictures:
    """Draws the visible shapes of one model."""

    def __init__(self, model: Any, width: int, height: int) -> None:
        self._model, self._size = model, (width, height)
        self._colours = _colours(model)
        self._limbs = _limbs(model)
        shown = _shown_geoms(model)
        fixed = model.body_weldid[model.geom_bodyid[shown]] == 0
        self._fixed, self._moving = shown[fixed], shown[~fixed]
        self._stage: tuple[View, bytes, Canvas] | None = None

    def picture(self, data: Any, view: View) -> Picture:
        """Return what `view` shows of a simulation, (H, W, 3)."""
        canvas = self._staged(data, view).copy()
        for geom in self._moving:
            self._draw(canvas, data, int(geom))
        return canvas.picture()

    def _staged(self, data: Any, view: View) -> Canvas:
        """Return the fixed shapes, drawn again only when they are seen from elsewhere or were moved by a reset."""
        places = data.geom_xpos[self._fixed].tobytes()
        if self._stage is None or self._stage[:2] != (view, places):
            canvas = Canvas(view, *self._size)
            for geom in self._fixed:
                self._draw(canvas, data, int(geom))
            self._stage = (view, places, canvas)
        return self._stage[2]

    def close(self) -> None:
        """Nothing to free."""

    def _draw(self, canvas: Canvas, data: Any, geom: int) -> None:
        kind, size = self._model.geom_type[geom], self._model.geom_size[geom]
        place, turn = data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3)
        colour = self._colours[geom]
        if kind == _Type.mjGEOM_PLANE:
            canvas.floor(float(place[2]), colour)
        elif kind == _Type.mjGEOM_SPHERE:
            canvas.rod(place, place, float(size[0]), colour)
        elif kind == _Type.mjGEOM_CAPSULE or (kind == _Type.mjGEOM_CYLINDER and size[1] > 2 * size[0]):
            axis = size[1] * turn[:, 2]
            canvas.rod(place - axis, place + axis, float(size[0]), colour)
        elif kind == _Type.mjGEOM_CYLINDER:
            _draw_prism(canvas, place, turn, float(size[0]), float(size[1]), colour)
        else:
            centre, half = self._model.geom_aabb[geom, :3], self._model.geom_aabb[geom, 3:]
            if self._limbs[geom]:
                _draw_log(canvas, place + turn @ centre, turn, half, colour)
            else:
                _draw_box(canvas, place + turn @ centre, turn, half, colour)


def _shown_geoms(model: Any) -> NDArray[np.int64]:
    opaque = np.array([_rgba(model, geom)[3] >= _FAINT for geom in range(model.ngeom)])
    return np.flatnonzero((model.geom_group < _SHOWN_GROUPS) & opaque)


def _limbs(model: Any) -> NDArray[np.bool_]:
    """Return which shapes (G,) are meshes of a body with motors, such as a robot's arm."""
    joints = model.actuator_trnid[:, 0]
    roots = model.body_rootid[model.jnt_bodyid[joints]]
    of_robot = np.isin(model.body_rootid[model.geom_bodyid], roots)
    return np.asarray(of_robot & (model.geom_type == _Type.mjGEOM_MESH))


def _rgba(model: Any, geom: int) -> Any:
    material = int(model.geom_matid[geom])
    return model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]


def _colours(model: Any) -> Floats:
    """Return the colours of all shapes (G, 3); a texture counts with its mean."""
    textures = [_mean_colour(model, texture) for texture in range(model.ntex)]
    colours = np.stack([_rgba(model, geom)[:3] for geom in range(model.ngeom)]).astype(np.float64)
    for geom, material in enumerate(model.geom_matid):
        used = [index for index in model.mat_texid[material] if index >= 0] if material >= 0 else []
        if used:
            colours[geom] *= textures[used[0]]
    return colours


def _mean_colour(model: Any, texture: int) -> Floats:
    channels = int(model.tex_nchannel[texture])
    start = int(model.tex_adr[texture])
    pixels = model.tex_data[start : start + int(model.tex_width[texture] * model.tex_height[texture]) * channels]
    return np.resize(pixels.reshape(-1, channels).mean(0) / 255, 3)


def _draw_box(canvas: Canvas, centre: Floats, turn: Floats, half: Floats, colour: Floats) -> None:
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        across, along = half[one] * turn[:, one], half[other] * turn[:, other]
        for side in (-1.0, 1.0):
            middle = centre + side * half[axis] * turn[:, axis]
            corners = np.stack(
                [middle + across + along, middle - across + along, middle - across - along, middle + across - along]
            )
            canvas.face(corners, colour, normal=side * turn[:, axis])


def _draw_log(canvas: Canvas, centre: Floats, turn: Floats, half: Floats, colour: Floats) -> None:
    """Draw a rod as long as the longest side of a box and as thick as the other two on average."""
    longest = int(np.argmax(half))
    radius = float(np.delete(half, longest).mean())
    axis = (half[longest] - radius) * turn[:, longest]
    canvas.rod(centre - axis, centre + axis, radius, colour)


def _draw_prism(canvas: Canvas, centre: Floats, turn: Floats, radius: float, half: float, colour: Floats) -> None:
    angles = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    ring = radius * (np.cos(angles)[:, None] * turn[:, 0] + np.sin(angles)[:, None] * turn[:, 1])
    up = half * turn[:, 2]
    canvas.face(centre + ring + up, colour, normal=turn[:, 2])
    canvas.face(centre + ring - up, colour, normal=-turn[:, 2])
    for one, other in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        corners = np.stack([centre + one - up, centre + other - up, centre + other + up, centre + one + up])
        outward = one + other
        canvas.face(corners, colour, normal=outward / np.linalg.norm(outward))
