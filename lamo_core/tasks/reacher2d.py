"""Reacher2d, the LaMo paper's sparse reaching task: its record, and its Gymnasium id `lamo/Reacher2d-v0`."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.tasks.environment import Array
from lamo_core.tasks.mujoco_library import load_mujoco
from lamo_core.tasks.rendering.cameras import View
from lamo_core.tasks.task import Simulation, Task
from lamo_core.tasks.vector_simulation import rendered_simulator, vector_batch

HORIZON = 100
GYMNASIUM_ID = "lamo/Reacher2d-v0"


def register_reacher2d() -> None:
    """Register the environment with Gymnasium under `GYMNASIUM_ID`."""
    import gymnasium

    if GYMNASIUM_ID not in gymnasium.registry:
        gymnasium.register(
            GYMNASIUM_ID, entry_point="lamo_core.tasks.reacher2d_env:Reacher2d", max_episode_steps=HORIZON
        )


def make_reacher2d() -> Any:
    """Return the arm as a Gymnasium environment without a time limit."""
    load_mujoco()
    register_reacher2d()
    import gymnasium

    return gymnasium.make(GYMNASIUM_ID, disable_env_checker=True, max_episode_steps=-1)


def _make_configured(config: TaskConfig) -> Any:
    return make_reacher2d()


def _view(model: Any, data: Any) -> View:
    return View((0.0, 0.0, 0.0), 3.0, 90.0, -90.0)


def _facts(simulator: Any, observation: Array, earned: float) -> dict[str, float]:
    return {"distance": float(np.abs(observation[10:12]).sum())}


REACHER2D_TASKS = {
    "mujoco-reacher2d": Task(
        name="mujoco-reacher2d",
        title="Reacher2d",
        observation="vector",
        observation_shape=(12,),
        action_kind="continuous",
        actions=2,
        action_names=("shoulder", "elbow"),
        random_score=0.0,
        expert_score=100.0,
        expert="paid at every step",
        horizon=HORIZON,
        simulation=Simulation(
            batch=vector_batch,
            rendered=rendered_simulator,
            environment=_make_configured,
            packages=("mujoco",),
            schematic=True,
            camera=_view,
            facts=_facts,
        ),
    )
}
