"""Moves the Franka's hand in the kitchen: Cartesian aims become joint-velocity actions; nothing is learned.

Inverse kinematics by damped least squares on the hand's Jacobian, with a pull towards an easy posture in the null
space. A joint at its limit is taken out of the solution, and the servos' lag and the arm's own weight are made up for,
so that the hand goes straight to where it is aimed and stays there.

Legend: positions in metres in the world's frame, (3,); J the (6, 7) Jacobian of the hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VELOCITY_SCALE = 2.0
"""Radians per second of an action of 1."""
STEP_SECONDS = 0.08
_MOTOR_GAIN = np.array([870.0, 870, 870, 870, 120, 120, 120])
_JOINT_DAMPING = np.array([100.0, 100, 100, 100, 10, 10, 10])
_REACHED = 1.0 - np.exp(-_MOTOR_GAIN / _JOINT_DAMPING * STEP_SECONDS)
"""Share of a commanded turn that a joint makes within one step: damping outweighs inertia."""
_LOWEST = np.array([-2.85, -1.70, -2.85, -3.0, -2.85, -1.6, -2.85])
_HIGHEST = np.array([2.85, 1.70, 2.85, -0.45, 2.85, 2.05, 2.85])
"""Joint positions, in radians, beyond which the controller does not go on; a little inside the limits."""
_EASY_SHOULDER = -1.45
"""Of the second joint, which starts at its limit."""
_DAMPING = 0.05
_LARGEST_TURN = 0.7
"""Orientation error, as a sine, that is corrected at once."""


@dataclass(frozen=True)
class Aim:
    """Where the hand should go, and how."""

    position: Floats
    opened: bool = False
    """Whether the fingers should be open."""
    speed: float = 0.6
    """Largest speed in m/s."""
    gain: float = 6.0
    """Speed per distance, in 1/s."""
    rotation: float = 0.3
    """Weight of keeping the hand's orientation."""
    posture: float = 0.3
    """Pull towards the easy posture in the null space, in 1/s."""
    turn: float = 0.0
    """Rotation of the hand about the vertical, in radians, against its start."""
    free: bool = True
    """Whether the way leads through the air, where it does not matter much which one is taken."""


class HandController:
    """Turns aims into joint-velocity actions for one kitchen environment that was just reset."""

    def __init__(self, model: Any, data: Any) -> None:
        self._model, self._data = model, data
        self._site = model.site("end_effector").id
        self._posture = data.qpos[:7].copy()
        self._posture[1] = _EASY_SHOULDER
        self._start_rotation = data.site_xmat[self._site].reshape(3, 3).copy()
        self._jacobian = np.zeros((2, 3, model.nv))

    @property
    def hand(self) -> Floats:
        """Where the hand is."""
        return np.array(self._data.site_xpos[self._site])

    def action(self, aim: Aim) -> Floats:
        """Return the (9,) action, within [-1, 1], that moves the hand towards the aim."""
        data = self._data
        mujoco.mj_jacSite(self._model, data, self._jacobian[0], self._jacobian[1], self._site)
        J = np.concatenate([self._jacobian[0, :, :7], aim.rotation * self._jacobian[1, :, :7]])
        move = (aim.position - self.hand) * aim.gain
        move *= min(1.0, aim.speed / max(float(np.linalg.norm(move)), 1e-6))
        present = data.site_xmat[self._site].reshape(3, 3)
        # The sum of cross products of the axes is twice the rotation vector that is missing, to first order.
        turn = np.cross(present.T, (about_vertical(aim.turn) @ self._start_rotation).T).sum(0)
        turn *= 2.0 * aim.rotation * min(1.0, _LARGEST_TURN / max(float(np.linalg.norm(turn)), 1e-6))
        velocity = self._solve(J, np.concatenate([move, turn]), aim.posture * (self._posture - data.qpos[:7]))
        velocity = velocity / _REACHED + data.qfrc_bias[:7] / _MOTOR_GAIN / STEP_SECONDS
        arm = velocity / VELOCITY_SCALE
        # Shrunk as a whole, so that the hand keeps its direction.
        arm /= max(1.0, float(np.abs(arm).max()))
        # A tenth of it would do; but imitators err by as much, and their hand came with fingers half shut.
        return np.concatenate([arm, np.full(2, 1.0 if aim.opened else -1.0)])

    def _solve(self, J: Floats, task: Floats, pull: Floats) -> Floats:
        """Return joint velocities (7,) for the task (6,); joints that would leave their range stand still."""
        position = self._data.qpos[:7]
        free = np.ones(7)
        velocity = np.zeros(7)
        for _ in range(3):
            part = J * free
            inverse = part.T @ np.linalg.inv(part @ part.T + _DAMPING**2 * np.eye(6))
            velocity = free * (inverse @ task + (np.eye(7) - inverse @ part) @ (pull * free))
            leaving = ((position < _LOWEST) & (velocity < 0)) | ((position > _HIGHEST) & (velocity > 0))
            if not leaving.any():
                break
            free = np.where(leaving, 0.0, free)
        return np.where(free > 0, velocity, 0.0)


def about_vertical(angle: float) -> Floats:
    """Return the (3, 3) rotation by `angle` radians about the vertical."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
