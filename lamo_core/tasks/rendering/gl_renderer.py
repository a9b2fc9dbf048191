"""Pictures of a MuJoCo simulation through an OpenGL library, without a screen.

Shadows, reflections and smooth edges are what costs time: without them Hopper at 240x180 is drawn fifteen times faster.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from lamo_core.tasks.rendering.cameras import FIELD_OF_VIEW, View

Picture = NDArray[np.uint8]

_GEOMS = 2_000
"""Most shapes of a scene; the kitchen has 240."""
_SLOW_FLAGS = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION)


class GlPictures:
    """Draws one model; belongs to the thread that made it. `backend` is a module of mujoco: egl, osmesa, cgl, glfw."""

    def __init__(self, model: Any, backend: str, width: int, height: int, *, pretty: bool) -> None:
        self._model, self._pretty = model, pretty
        self._gl: Any = import_module(f"mujoco.{backend}").GLContext(width, height)
        self._gl.make_current()
        # These are settings of pictures alone; the physics does not read them.
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.global_.fovy = FIELD_OF_VIEW
        if not pretty:
            model.vis.quality.offsamples = 0
        self._scene = mujoco.MjvScene(model, _GEOMS)
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._area = mujoco.MjrRect(0, 0, width, height)
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._pixels: Picture = np.zeros((height, width, 3), np.uint8)

    def picture(self, data: Any, view: View) -> Picture:
        """Return what `view` shows of a simulation, (H, W, 3)."""
        self._gl.make_current()
        camera = self._camera
        camera.lookat[:] = view.lookat
        camera.distance, camera.azimuth, camera.elevation = view.distance, view.azimuth, view.elevation
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._option, None, camera, everything, self._scene)
        for flag in _SLOW_FLAGS:
            self._scene.flags[flag] = self._pretty
        mujoco.mjr_render(self._area, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._area, self._context)
        # OpenGL counts rows from below.
        return self._pixels[::-1].copy()

    def close(self) -> None:
        """Free the OpenGL context."""
        self._context.free()
        self._gl.free()


def prove(backend: str) -> float:
    """Draw a small picture and return its contrast; a library that does not work raises, or ends the process."""
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><light pos='0 0 3'/><geom size='0.5' rgba='1 0 0 1'/></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    pictures = GlPictures(model, backend, 64, 48, pretty=False)
    contrast = float(pictures.picture(data, View((0.0, 0.0, 0.0), 2.0, 90.0, -20.0)).std())
    pictures.close()
    return contrast
