"""A small painter of solid shapes in NumPy: rods, flat faces and a floor, with perspective and hidden parts hidden.

Legend: H rows and W columns of the picture; places are (3,) in metres in the world's frame; colours (3,) from 0 to 1.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from lamo_core.tasks.rendering.cameras import FIELD_OF_VIEW, View

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

_SKY = (np.array([0.55, 0.66, 0.78]), np.array([0.86, 0.90, 0.94]))
_LIGHT = np.array([-0.35, -0.5, 0.8]) / np.linalg.norm([-0.35, -0.5, 0.8])
_NEAREST = 0.05
"""Shapes that come nearer to the eye than this many metres are left out."""
_MIST = 12.0
"""Metres at which the floor has half faded into the sky."""


class Canvas:
    """One picture in the making; every shape is clipped, shaded, and hidden behind nearer ones."""

    def __init__(self, view: View, width: int, height: int) -> None:
        self._eye, self._right, self._up, self._forward = view.axes()
        self._focus = 0.5 * height / np.tan(np.radians(FIELD_OF_VIEW / 2))
        self._centre = np.array([width / 2, height / 2])
        rows = np.linspace(0, 1, height)[:, None, None]
        self._pixels: Floats = np.broadcast_to(_SKY[0] * (1 - rows) + _SKY[1] * rows, (height, width, 3)).copy()
        self._depth: Floats = np.full((height, width), np.inf)

    def copy(self) -> Canvas:
        """Return another canvas with what is drawn so far."""
        other = copy.copy(self)
        other._pixels, other._depth = self._pixels.copy(), self._depth.copy()
        return other

    def picture(self) -> Picture:
        """Return what is drawn so far, (H, W, 3)."""
        return np.asarray(np.rint(np.clip(self._pixels, 0, 1) * 255), np.uint8)

    def floor(self, height: float, colour: Floats, spacing: float = 0.5) -> None:
        """Draw an endless chequered floor at `height`, whose squares show how the view moves."""
        rows, columns = self._depth.shape
        x = (np.arange(columns) + 0.5 - self._centre[0])[None, :, None] / self._focus
        y = (self._centre[1] - np.arange(rows) - 0.5)[:, None, None] / self._focus
        rays = x * self._right + y * self._up + self._forward
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (height - self._eye[2]) / rays[..., 2]
            places = self._eye[:2] + depth[..., None] * rays[..., :2]
            squares = np.floor(places / spacing).sum(-1) % 2
        seen = np.isfinite(depth) & (depth > _NEAREST) & (depth < self._depth)
        clear = (_MIST / (_MIST + np.where(seen, depth, np.inf)))[..., None]
        tiles = colour * (0.86 + 0.14 * squares[..., None])
        mixed = tiles * clear + self._pixels * (1 - clear)
        self._pixels[seen] = mixed[seen]
        self._depth[seen] = depth[seen]

    def rod(self, start: Floats, end: Floats, radius: float, colour: Floats) -> None:
        """Draw a cylinder with round ends; equal ends make a ball."""
        (a, near), (b, far) = self._project(start), self._project(end)
        if min(near, far) - radius < _NEAREST:
            return
        radii = self._focus * radius / near, self._focus * radius / far
        low = np.minimum(a - radii[0], b - radii[1]) - 1
        high = np.maximum(a + radii[0], b + radii[1]) + 1
        window = self._window(low, high)
        if window is None:
            return
        pixels = self._places(window)
        along, length = b - a, float((b - a) @ (b - a))
        share = np.clip(((pixels - a) @ along) / length, 0, 1) if length > 1e-9 else np.zeros(pixels.shape[:2])
        offset = pixels - a - share[..., None] * along
        reach = radii[0] + share * (radii[1] - radii[0])
        distance = np.hypot(offset[..., 0], offset[..., 1])
        bulge = np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, 1))
        # The side that faces up is lit more; rows count downwards.
        light = 0.5 + 0.35 * bulge - 0.25 * offset[..., 1] / reach
        depth = near + share * (far - near) - radius * bulge
        self._put(window, np.clip(reach - distance + 0.5, 0, 1), depth, colour * light[..., None])

    def face(self, corners: Floats, colour: Floats, *, normal: Floats) -> None:
        """Draw a convex polygon (C, 3), corners in order, as a solid's face: only if its `normal` (3,) looks here."""
        if normal @ (corners[0] - self._eye) >= 0:
            return
        depths = (corners - self._eye) @ self._forward
        if depths.min() < _NEAREST:
            return
        flat = np.stack([self._project(corner)[0] for corner in corners])
        window = self._window(flat.min(0) - 1, flat.max(0) + 1)
        if window is None:
            return
        pixels = self._places(window)
        edges = np.roll(flat, -1, axis=0) - flat
        lengths = np.hypot(edges[:, 0], edges[:, 1])
        area = float(np.sum(flat[:, 0] * np.roll(flat[:, 1], -1) - np.roll(flat[:, 0], -1) * flat[:, 1]))
        side = 1.0 if area > 0 else -1.0
        inside = np.full(pixels.shape[:2], np.inf)
        for corner, edge, length in zip(flat, edges, lengths, strict=True):
            if length > 1e-9:
                offset = pixels - corner
                np.minimum(inside, side * (edge[0] * offset[..., 1] - edge[1] * offset[..., 0]) / length, out=inside)
        # On a plane the inverse of the depth changes evenly over the picture.
        rows = np.column_stack([flat, np.ones(len(flat))])
        slope = np.linalg.lstsq(rows, 1 / depths, rcond=None)[0]
        depth = 1 / np.maximum(pixels @ slope[:2] + slope[2], 1e-6)
        light = 0.62 + 0.38 * max(0.0, float(normal @ _LIGHT))
        self._put(window, np.clip(inside + 0.5, 0, 1), depth, colour * light)

    def _project(self, place: Floats) -> tuple[Floats, float]:
        """Return column and row (2,), and the depth in metres."""
        offset = place - self._eye
        depth = float(offset @ self._forward)
        scale = self._focus / max(depth, 1e-6)
        return self._centre + scale * np.array([offset @ self._right, -(offset @ self._up)]), depth

    def _window(self, low: Floats, high: Floats) -> tuple[slice, slice] | None:
        """Return rows and columns between two corners, or None outside of the picture."""
        rows, columns = self._depth.shape
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return None
        left, top = int(max(low[0], 0)), int(max(low[1], 0))
        right, bottom = int(min(high[0] + 1, columns)), int(min(high[1] + 1, rows))
        return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None

    def _places(self, window: tuple[slice, slice]) -> Floats:
        rows, columns = window
        grid = np.mgrid[rows, columns].astype(np.float64) + 0.5
        return np.stack([grid[1], grid[0]], axis=-1)

    def _put(self, window: tuple[slice, slice], cover: Floats, depth: Floats, colour: Floats) -> None:
        nearer = depth < self._depth[window]
        share = np.where(nearer, cover, 0.0)[..., None]
        self._pixels[window] = (1 - share) * self._pixels[window] + share * colour
        # Half-covered edges are blended but hide nothing.
        np.copyto(self._depth[window], depth, where=nearer & (cover > 0.5))
