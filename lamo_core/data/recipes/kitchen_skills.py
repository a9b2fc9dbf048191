"""What the scripted hand does next for each of the kitchen's subtasks, decided anew at every step from the true state.

A skill looks at where the hand and the things are and says where to aim. It keeps no memory, so that whatever
happened before, it goes on from there: a handle that slipped is gripped again, a missed switch approached again.
Heights and distances were tuned by hand.

Legend: positions in metres in the world's frame, (3,): x to the right, y away from the robot, z up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lamo_core.data.recipes.kitchen_controller import Aim, Floats, about_vertical

_MICROWAVE_HINGE = (-1.128, 0.455)
_PULL_AHEAD = 0.35
"""Radians that the pulling hand aims ahead of the door."""
_GRIPPED = 0.05
"""Width between the fingers, in metres, at which they hold the microwave's handle."""
_KETTLE_HEIGHT = 1.72
_SWITCH_X = -0.3685
_SWITCH_HEIGHT = 2.295
_SLIDE_HEIGHT = 2.58
_JOINTS = {
    "microwave": "microwave",
    "kettle": "kettle",
    "light switch": "light_switch",
    "slide cabinet": "slide_cabinet",
}
_SOLVED = {"microwave": 0.45, "kettle": 0.46, "light switch": 0.39, "slide cabinet": 0.07}
_FARTHEST = {"microwave": 0.85, "kettle": 0.57, "light switch": 0.57, "slide cabinet": 0.25}
"""Angles in radians, and metres: where a subtask is solved, and as far as the hand goes on at most."""


@dataclass(frozen=True)
class Scene:
    """Where things are now."""

    hand: Floats
    fingers: float
    """Width between them."""
    handle: Floats
    """Of the microwave's door."""
    door: float
    """Angle of the microwave's door in radians: 0 shut, negative open."""
    kettle: Floats
    slide: float
    """x of the sliding door's handle."""


def scene_of(data: Any, hand: Floats) -> Scene:
    """Return where things are in the simulator's state."""
    return Scene(
        hand=hand,
        fingers=float(data.qpos[7:9].sum()),
        handle=data.site("microhandle_site").xpos.copy(),
        door=float(data.joint("microwave").qpos[0]),
        kettle=data.joint("kettle").qpos[:3].copy(),
        slide=float(data.site("slide_site").xpos[0]),
    )


def finished(subtask: str, data: Any, thoroughness: float) -> bool:
    """Return whether a subtask is done with something to spare: an imitator that stops early solves it, too.

    `thoroughness` is the share, from 0 to 1, of the way that could be spared.
    """
    position = float(data.joint(_JOINTS[subtask]).qpos[1 if subtask == "kettle" else 0])
    solved = _SOLVED[subtask]
    return abs(position) >= solved + thoroughness * (_FARTHEST[subtask] - solved)


def next_aim(subtask: str, scene: Scene) -> Aim:
    """Return where the hand should go now for the sake of `subtask`; it lets go of the microwave first."""
    if subtask != "microwave" and np.linalg.norm(scene.hand - scene.handle) < 0.11:
        away = about_vertical(scene.door) @ np.array([0.0, -0.15, 0.0])
        return Aim(scene.hand + away, True, 0.5, rotation=0.1, turn=0.8 * scene.door, free=False)
    return _SKILLS[subtask](scene)


def _microwave(scene: Scene) -> Aim:
    """Straddle the vertical handle, close the fingers, and pull along an arc about the hinge.

    The hand comes slowly and closes as deep as it can, so that one that closes a little early still holds the handle.
    """
    frame = about_vertical(scene.door)
    forward, side = frame @ np.array([0.0, -1.0, 0.0]), frame @ np.array([1.0, 0.0, 0.0])
    offset = scene.hand - scene.handle
    ahead, across, above = float(offset @ forward), float(offset @ side), abs(float(offset[2]))
    near = Aim(scene.handle - 0.015 * forward, True, 0.35 if ahead > 0.06 else 0.15, turn=0.8 * scene.door, free=False)
    held = scene.fingers < 0.07 and ahead < 0.07
    if (held or ahead < 0.02) and abs(across) < 0.03 and above < 0.06:
        if scene.fingers > _GRIPPED:
            return replace(near, opened=False)
        hinge = np.array([*_MICROWAVE_HINGE, scene.handle[2]])
        place = hinge + about_vertical(-_PULL_AHEAD) @ (scene.handle - hinge)
        return replace(near, position=place, opened=False, speed=0.5, gain=8.0, posture=0.05)
    if abs(across) < 0.025 and above < 0.05:
        return near
    if ahead < 0.08:
        return replace(near, position=scene.handle + 0.12 * forward + across * side, speed=0.5)
    return replace(near, position=scene.handle + 0.11 * forward, speed=0.6, free=True)


def _kettle(scene: Scene) -> Aim:
    """Push the kettle away from the robot, from behind its middle."""
    x, y, z = scene.kettle[0] - 0.01, scene.kettle[1], scene.hand[2]
    behind, beside = y - scene.hand[1], abs(scene.hand[0] - x)
    careful = Aim(scene.hand, rotation=0.2, free=False)
    if behind > 0.06 and beside < 0.07 and (z < 1.735 or (behind < 0.19 and z < 1.77)):
        return replace(careful, position=np.array([x, 0.70, _KETTLE_HEIGHT]), speed=0.5, gain=10.0, posture=0.05)
    if z < 1.84 and behind < 0.2 and beside < 0.15:
        return replace(careful, position=np.array([scene.hand[0], scene.hand[1] - 0.1, 1.9]))
    if beside < 0.04 and behind > 0.2:
        return replace(careful, position=np.array([x, y - 0.26, _KETTLE_HEIGHT - 0.02]))
    if z < 1.95 and scene.hand[1] > 0.35:
        return replace(careful, position=np.array([x, y - 0.2, 2.02]))
    return replace(careful, position=np.array([x, y - 0.27, 1.80]), free=True)


def _light_switch(scene: Scene) -> Aim:
    """Push the switch to the left from its right side."""
    right, above = scene.hand[0] - _SWITCH_X, scene.hand[2] - _SWITCH_HEIGHT
    careful = Aim(scene.hand, speed=0.5, free=False)
    if scene.hand[1] > 0.585 and -0.04 < above < 0.05 and right > -0.1:
        return replace(careful, position=np.array([_SWITCH_X - 0.2, 0.635, _SWITCH_HEIGHT]), posture=0.05)
    if 0.05 < right < 0.15 and -0.025 < above < 0.04:
        return replace(careful, position=np.array([_SWITCH_X + 0.1, 0.635, _SWITCH_HEIGHT]), posture=0.1)
    if scene.hand[1] > 0.53 and right < 0.05:
        return replace(careful, position=np.array([scene.hand[0] + 0.02, 0.44, _SWITCH_HEIGHT]), speed=0.6)
    return Aim(np.array([_SWITCH_X + 0.1, 0.5, _SWITCH_HEIGHT]), speed=0.7)


def _slide_cabinet(scene: Scene) -> Aim:
    """Push the sliding door to the right."""
    x, above = scene.slide, abs(scene.hand[2] - _SLIDE_HEIGHT)
    careful = Aim(scene.hand, speed=0.5, free=False)
    if scene.hand[1] > 0.575 and above < 0.06 and scene.hand[0] < x:
        return replace(careful, position=np.array([x + 0.25, 0.62, _SLIDE_HEIGHT]), posture=0.05)
    if abs(scene.hand[0] - (x - 0.09)) < 0.04 and above < 0.05:
        return replace(careful, position=np.array([x - 0.09, 0.62, _SLIDE_HEIGHT]), posture=0.1)
    if scene.hand[1] > 0.52:
        return replace(careful, position=np.array([scene.hand[0], 0.45, scene.hand[2] + 0.05]), speed=0.6)
    return Aim(np.array([x - 0.09, 0.5, _SLIDE_HEIGHT]), speed=0.7)


_SKILLS: dict[str, Callable[[Scene], Aim]] = {
    "microwave": _microwave,
    "kettle": _kettle,
    "light switch": _light_switch,
    "slide cabinet": _slide_cabinet,
}
