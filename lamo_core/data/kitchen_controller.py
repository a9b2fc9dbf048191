"""A scripted Cartesian controller for the Franka kitchen: it reads the simulator's true state and nothing is learned.

Inverse kinematics by damped least squares on the hand's Jacobian, with a pull towards the start posture in the null
space; actions are joint velocities. Each subtask is a list of waypoints, tuned by hand.

Legend: positions in metres in the world's frame, (3,); J the (6, 7) Jacobian of the hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VELOCITY_SCALE = 2.0
"""Radians per second of an action of 1."""
STEP_SECONDS = 0.08
_MOTOR_GAIN = np.array([870.0, 870, 870, 870, 120, 120, 120])
_DAMPING = 0.02
_MICROWAVE_HINGE = (-1.128, 0.455)
_AWAY = np.array([0.05, -0.08, 0.1])
"""From the opened door, so that the fingers do not shut it again."""
_KETTLE_PLACED = 0.56
"""The kettle's y when it stands on the far burner."""


@dataclass(frozen=True)
class Style:
    """How the hand moves to a waypoint."""

    position_gain: float = 6.0
    speed: float = 0.5
    """Largest speed in m/s."""
    rotation: float = 1.0
    """Weight of keeping the hand's orientation."""
    posture: float = 0.3
    """Pull towards the start posture in the null space."""
    gravity: float = 1.0
    """Share of the arm's own weight that is fed forward."""


@dataclass(frozen=True)
class Waypoint:
    """A place for the hand, or (`position` None) a wait while the fingers move."""

    position: Floats | None
    opened: bool = False
    tolerance: float = 0.05
    steps: int = 25
    """Most steps spent on the way."""
    style: Style = field(default_factory=Style)
    turn: float = 0.0
    """Rotation of the hand about the vertical, in radians, against its start."""
    until_done: bool = False
    """Leave as soon as the subtask is solved."""
    relative: bool = False
    """Whether `position` counts from where the hand is when it sets out."""


class HandController:
    """Turns waypoints into joint-velocity actions for one kitchen environment that was just reset."""

    def __init__(self, model: Any, data: Any) -> None:
        self._model, self._data = model, data
        self._site = model.site("end_effector").id
        self._start_posture = data.qpos[:7].copy()
        self._start_rotation = data.site_xmat[self._site].reshape(3, 3).copy()
        self._jacobian = np.zeros((2, 3, model.nv))

    @property
    def hand(self) -> Floats:
        """Where the hand is."""
        return np.array(self._data.site_xpos[self._site])

    def action(self, target: Floats, waypoint: Waypoint) -> Floats:
        """Return the (9,) action that moves the hand towards `target` in the waypoint's style."""
        style, data = waypoint.style, self._data
        mujoco.mj_jacSite(self._model, data, self._jacobian[0], self._jacobian[1], self._site)
        J = np.concatenate([self._jacobian[0, :, :7], style.rotation * self._jacobian[1, :, :7]])
        move = (target - self.hand) * style.position_gain
        move *= min(1.0, style.speed / max(float(np.linalg.norm(move)), 1e-6))
        present = data.site_xmat[self._site].reshape(3, 3)
        wanted = _about_vertical(waypoint.turn) @ self._start_rotation
        # Half the sum of cross products of the axes is the rotation vector that is missing, to first order.
        turn = 0.5 * np.cross(present.T, wanted.T).sum(0) * 2.0 * style.rotation
        inverse = J.T @ np.linalg.inv(J @ J.T + _DAMPING**2 * np.eye(6))
        velocity = inverse @ np.concatenate([move, turn])
        velocity += (np.eye(7) - inverse @ J) @ (style.posture * (self._start_posture - data.qpos[:7]))
        velocity += style.gravity * data.qfrc_bias[:7] / _MOTOR_GAIN / STEP_SECONDS
        fingers = ((0.04 if waypoint.opened else 0.0) - data.qpos[7:9]) / STEP_SECONDS
        return np.clip(np.concatenate([velocity, fingers]) / VELOCITY_SCALE, -1.0, 1.0)


def _about_vertical(angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _microwave(data: Any) -> list[Waypoint]:
    """Straddle the vertical handle, close the fingers, and pull along an arc about the hinge."""
    handle = data.site("microhandle_site").xpos.copy()
    hinge = np.array([*_MICROWAVE_HINGE, handle[2]])
    reach = Style(gravity=0.0)
    pull = Style(position_gain=8.0, posture=0.05, gravity=0.0)
    plan = [
        Waypoint(handle - np.array([0.0, 0.16, 0.0]), True, 0.05, 30, reach),
        Waypoint(handle, True, 0.02, 25, reach),
        Waypoint(None, False, steps=5, style=reach),
    ]
    for angle in np.linspace(0.12, 1.1, 9):
        place = hinge + _about_vertical(-angle) @ (handle - hinge)
        plan.append(Waypoint(place, False, 0.03, 9, pull, turn=-0.8 * angle))
    return [*plan, Waypoint(None, True, steps=4), Waypoint(_AWAY, True, 0.04, 6, relative=True)]


def _kettle(data: Any) -> list[Waypoint]:
    """Push the kettle away from the robot, from a little left of its centre."""
    x, y, z = float(data.body("kettle").xpos[0]) - 0.03, 0.12, 1.72
    careful = Style(rotation=0.3, posture=0.05, gravity=0.5)
    push = Style(position_gain=12.0, speed=1.5, rotation=0.3, posture=0.0, gravity=0.5)
    return [
        Waypoint(np.array([-0.35, 0.10, 2.0]), False, 0.08, 20, careful),
        Waypoint(np.array([x, y - 0.04, z + 0.08]), False, 0.05, 25, careful, until_done=True),
        Waypoint(np.array([x, y, z]), False, 0.04, 15, careful),
        Waypoint(np.array([x + 0.02, 0.66, z]), False, 0.06, 45, push, until_done=True),
        Waypoint(np.array([x, 0.35, z + 0.12]), False, 0.1, 10, careful),
    ]


def _light_switch(data: Any) -> list[Waypoint]:
    """Push the switch to the left from its right side."""
    x, z = float(data.site("light_site").xpos[0]), 2.28
    careful = Style(rotation=0.3, posture=0.05)
    push = Style(speed=0.4, rotation=0.3, posture=0.0)
    return [
        Waypoint(np.array([x + 0.10, 0.45, z]), False, 0.05, 30, careful, until_done=True),
        Waypoint(np.array([x + 0.07, 0.64, z]), False, 0.03, 20, careful),
        Waypoint(np.array([x - 0.16, 0.64, z]), False, 0.03, 25, push, until_done=True),
        Waypoint(np.array([x - 0.05, 0.45, z]), False, 0.06, 10, careful),
    ]


def _slide_cabinet(data: Any) -> list[Waypoint]:
    """Push the sliding door to the right."""
    x, z = float(data.site("slide_site").xpos[0]), 2.58
    careful, push = Style(rotation=0.5, posture=0.1), Style(rotation=0.5, posture=0.0)
    return [
        Waypoint(np.array([x - 0.12, 0.45, z]), False, 0.06, 30, careful, until_done=True),
        Waypoint(np.array([x - 0.10, 0.62, z]), False, 0.04, 20, careful),
        Waypoint(np.array([x + 0.40, 0.62, z]), False, 0.05, 40, push, until_done=True),
    ]


PLANS: dict[str, Callable[[Any], list[Waypoint]]] = {
    "microwave": _microwave,
    "kettle": _kettle,
    "light switch": _light_switch,
    "slide cabinet": _slide_cabinet,
}
"""The waypoints of each subtask, planned from where things are now."""


@dataclass(frozen=True)
class Manner:
    """What differs between episodes: the subtasks and their order, and how clumsily they are done."""

    subtasks: tuple[str, ...]
    noise: float
    """Standard deviation of the noise on each action."""
    jitter: float
    """Standard deviation of the noise on each waypoint, in metres."""


class Script:
    """Plays a manner on one environment, action by action."""

    def __init__(self, model: Any, data: Any, manner: Manner, rng: np.random.Generator) -> None:
        self._data, self._manner, self._rng = data, manner, rng
        self._controller = HandController(model, data)
        self._pending: Sequence[str] = manner.subtasks
        self._plan: list[Waypoint] = []
        self._subtask = ""
        self._target: Floats | None = None
        self._spent = 0

    def next_action(self, solved: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the next (9,) action, or None when all waypoints are done; `solved` names finished subtasks."""
        while not self._plan or self._reached(self._plan[0], solved):
            self._target, self._spent = None, 0
            if self._plan:
                self._plan = self._plan[1:]
            elif not self._pending:
                return None
            else:
                self._subtask, self._pending = self._pending[0], self._pending[1:]
                self._plan = PLANS[self._subtask](self._data)
        self._spent += 1
        action = self._controller.action(self._goal(self._plan[0]), self._plan[0])
        action += self._rng.normal(0.0, self._manner.noise, 9)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _goal(self, waypoint: Waypoint) -> Floats:
        if self._target is None:
            here = self._controller.hand
            if waypoint.position is None:
                self._target = here
            else:
                start = here if waypoint.relative else np.zeros(3)
                self._target = start + waypoint.position + self._rng.normal(0.0, self._manner.jitter, 3)
        return self._target

    def _reached(self, waypoint: Waypoint, solved: Sequence[str]) -> bool:
        if self._spent >= waypoint.steps:
            return True
        if waypoint.until_done and self._subtask in solved:
            return True
        pushing = self._subtask == "kettle" and waypoint.steps == 45
        if pushing and self._data.qpos[24] > _KETTLE_PLACED:
            return True
        if waypoint.position is None:
            return False
        return bool(np.linalg.norm(self._goal(waypoint) - self._controller.hand) < waypoint.tolerance)
