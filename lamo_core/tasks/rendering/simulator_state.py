"""Moments of a MuJoCo episode: everything that decides how it goes on, to keep and to come back to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
_MEMORIES = ("tasks_to_complete", "step_task_completions", "episode_task_completions", "_last_robot_qpos")
"""What the kitchen and its robot remember outside of the simulator."""


@dataclass(frozen=True)
class Moment:
    """The simulator's state (positions, velocities, actuators, time, warm start) and what lies beside it."""

    simulator: NDArray[np.float64]
    places: NDArray[np.float64]
    """Places of the model's bodies, of which Reacher2d moves one at each reset."""
    generators: tuple[Any, ...]
    memories: tuple[dict[str, Any], ...]


def take_moment(environment: Any) -> Moment:
    """Return the present moment of a Gymnasium environment on MuJoCo."""
    simulator = environment.unwrapped
    state = np.empty(mujoco.mj_stateSize(simulator.model, _STATE))
    mujoco.mj_getState(simulator.model, simulator.data, state, _STATE)
    return Moment(
        simulator=state,
        places=simulator.model.body_pos.copy(),
        generators=tuple(copy.deepcopy(layer.np_random.bit_generator.state) for layer in _layers(simulator)),
        memories=tuple(
            {name: copy.deepcopy(vars(layer)[name]) for name in _MEMORIES if name in vars(layer)}
            for layer in _layers(simulator)
        ),
    )


def put_moment(environment: Any, moment: Moment) -> None:
    """Bring a moment of `take_moment` back, in the same or in another environment of the same task."""
    simulator = environment.unwrapped
    simulator.model.body_pos[:] = moment.places
    mujoco.mj_setState(simulator.model, simulator.data, moment.simulator, _STATE)
    for layer, generator, memory in zip(_layers(simulator), moment.generators, moment.memories, strict=True):
        layer.np_random.bit_generator.state = copy.deepcopy(generator)
        vars(layer).update(copy.deepcopy(memory))


def _layers(simulator: Any) -> list[Any]:
    """Return the objects that hold state: the environment, and the robot inside of it where there is one."""
    robot = getattr(simulator, "robot_env", None)
    return [simulator] if robot is None else [simulator, robot]
