"""Hopper, HalfCheetah and Walker2d on Gymnasium's MuJoCo environments, with the reference scores of D4RL.

The v4 environments are the default: v5 changed the friction of Walker2d's right foot and the healthy reward of the
last step, so D4RL's scores do not compare there, and what is played there has no normalised score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lamo_core.config import TaskConfig
from lamo_core.tasks.environment import Array
from lamo_core.tasks.mujoco_library import load_mujoco
from lamo_core.tasks.rendering.cameras import View
from lamo_core.tasks.task import Simulation, Task
from lamo_core.tasks.vector_simulation import rendered_simulator, vector_batch

HORIZON = 1000

_BODIES = {"hopper": "Hopper", "halfcheetah": "HalfCheetah", "walker2d": "Walker2d"}
_OBSERVATIONS = {"hopper": 11, "halfcheetah": 17, "walker2d": 17}
_LEG = ("thigh", "leg", "foot")
_JOINTS = {
    "hopper": _LEG,
    "halfcheetah": tuple(f"{side} {part}" for side in ("back", "front") for part in ("thigh", "shin", "foot")),
    "walker2d": tuple(f"{side} {part}" for side in ("right", "left") for part in _LEG),
}
_SCORES = {
    "hopper": (-20.272305, 3234.3),
    "halfcheetah": (-280.178953, 12135.0),
    "walker2d": (1.629008, 4592.3),
}
"""Random play and a trained expert, from D4RL's table of reference scores."""
_CAMERAS = {"hopper": (0.75, 3.6), "halfcheetah": (0.4, 3.2), "walker2d": (0.8, 3.8)}
"""Height that is looked at, and distance, in metres."""


def make_locomotion(config: TaskConfig) -> Any:
    """Return the configured body as a Gymnasium environment without a time limit."""
    import warnings

    import gymnasium

    load_mujoco()
    body = _BODIES[config.name.removeprefix("mujoco-")]
    with warnings.catch_warnings():
        # Gymnasium advises v5; why it is not the default is said above.
        warnings.simplefilter("ignore")
        return gymnasium.make(f"{body}-{config.version}", disable_env_checker=True, max_episode_steps=-1)


def _following(height: float, distance: float) -> Callable[[Any, Any], View]:
    """Return a camera that follows the body along x alone, so that hops are seen."""
    return lambda model, data: View((float(data.qpos[0]), 0.0, height), distance, 90.0, -8.0)


def _facts(simulator: Any, observation: Array, earned: float) -> dict[str, float]:
    return {"x": float(simulator.data.qpos[0]), "speed": float(simulator.data.qvel[0])}


def _locomotion_task(body: str) -> Task:
    return Task(
        name=f"mujoco-{body}",
        title=_BODIES[body],
        observation="vector",
        observation_shape=(_OBSERVATIONS[body],),
        action_kind="continuous",
        actions=len(_JOINTS[body]),
        action_names=_JOINTS[body],
        random_score=_SCORES[body][0],
        expert_score=_SCORES[body][1],
        expert="D4RL's expert",
        horizon=HORIZON,
        simulation=Simulation(
            batch=vector_batch,
            rendered=rendered_simulator,
            environment=make_locomotion,
            packages=("mujoco",),
            schematic=True,
            camera=_following(*_CAMERAS[body]),
            facts=_facts,
        ),
    )


LOCOMOTION_TASKS = {task.name: task for task in map(_locomotion_task, _BODIES)}

NEWER = "-v5"
NEWER_TASKS = {
    name + NEWER: replace(
        task, name=name + NEWER, title=task.title + NEWER, random_score=math.nan, expert_score=math.nan
    )
    for name, task in LOCOMOTION_TASKS.items()
}
"""The same bodies under `task.version=v5`: what results and reports call them; settings do not name them."""
