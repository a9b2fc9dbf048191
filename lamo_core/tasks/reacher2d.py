"""Reacher2d, the LaMo paper's sparse reaching task: its record, and its Gymnasium id `lamo/Reacher2d-v0`."""

from __future__ import annotations

from typing import Any

from lamo_core.tasks.door import Door, blamed
from lamo_core.tasks.mujoco_library import load_mujoco
from lamo_core.tasks.registry import Task

HORIZON = 100
GYMNASIUM_ID = "lamo/Reacher2d-v0"

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
    )
}


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

    name = "mujoco-reacher2d"
    with blamed(name, "while it was made"):
        return Door(gymnasium.make(GYMNASIUM_ID, disable_env_checker=True, max_episode_steps=-1), name)
