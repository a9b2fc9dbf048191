"""Pictures of a MuJoCo environment by the best way that this machine has, chosen at the first picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import UsageError
from lamo_core.tasks.rendering.backend import DRAWING, choose_backend
from lamo_core.tasks.rendering.cameras import View
from lamo_core.tasks.rendering.gl_renderer import GlPictures
from lamo_core.tasks.rendering.software_renderer import SchematicPictures

Picture = NDArray[np.uint8]
_MIN_HEIGHT, _MAX_HEIGHT = 24, 2_160


class _Painter(Protocol):
    def picture(self, data: Any, view: View) -> Picture: ...

    def close(self) -> None: ...


class SimulatorPictures:
    """Draws `simulator`, an environment with `model` and `data`, in pictures of (`height`, 4/3 `height`, 3).

    `backend` names a way of `choose_backend`. Raises `UsageError`.
    """

    def __init__(
        self, simulator: Any, camera: Callable[[Any, Any], View], height: int, *, pretty: bool, backend: str = ""
    ) -> None:
        if not _MIN_HEIGHT <= height <= _MAX_HEIGHT:
            raise UsageError(f"pictures are {_MIN_HEIGHT} to {_MAX_HEIGHT} pixels high, not {height}")
        self._simulator, self._camera = simulator, camera
        self._size = (height * 4 // 3, height)
        self._pretty, self._wanted = pretty, backend
        self._painter: _Painter | None = None

    @property
    def backend(self) -> str:
        """How pictures are drawn: `egl`, `osmesa`, … or `drawing`."""
        return DRAWING if isinstance(self._open(), SchematicPictures) else choose_backend(self._wanted)

    def picture(self) -> Picture:
        """Return the present moment; the simulation goes on as if nobody had looked."""
        model, data = self._simulator.model, self._simulator.data
        # A step leaves the places of bodies one physics step behind the joints, and a restored moment has none.
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        return self._open().picture(data, self._camera(model, data))

    def close(self) -> None:
        """Free the graphics context."""
        if self._painter is not None:
            self._painter.close()
            self._painter = None

    def _open(self) -> _Painter:
        if self._painter is None:
            self._painter = self._new_painter()
        return self._painter

    def _new_painter(self) -> _Painter:
        model, (width, height) = self._simulator.model, self._size
        backend = choose_backend(self._wanted)
        if backend != DRAWING:
            # A library may still refuse this process or this size; a drawing is better than nothing.
            with contextlib.suppress(Exception):
                return GlPictures(model, backend, width, height, pretty=self._pretty)
        return SchematicPictures(model, width, height)
