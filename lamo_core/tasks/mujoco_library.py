"""Loads MuJoCo, also where MUJOCO_GL names a graphics library that does not load: playing needs no pictures."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def load_mujoco() -> Any:
    """Return the module `mujoco`; call it before anything else imports that. Raises `ImportError` without it.

    `import mujoco` loads the graphics library that MUJOCO_GL names and fails with it. Whether that draws is found out
    apart, by `picture_backend`.
    """
    try:
        return import_module("mujoco")
    except Exception:  # a missing OpenGL fails with whatever its bindings trip over
        named = os.environ.get("MUJOCO_GL")
        if not named or find_spec("mujoco") is None:
            raise
    os.environ["MUJOCO_GL"] = "disable"
    try:
        return import_module("mujoco")
    finally:
        os.environ["MUJOCO_GL"] = named
