"""Simulations of vector tasks on MuJoCo: batches and pictures of environments made by one function."""

from __future__ import annotations

from lamo_core.config import TaskConfig
from lamo_core.tasks.environment import EnvBatch, RenderedEnv
from lamo_core.tasks.task import Task
from lamo_core.tasks.vector_batch import VectorBatch


def vector_batch(config: TaskConfig, task: Task, size: int) -> EnvBatch:
    """Return a batch of the task's environments; loads their library."""
    return VectorBatch(config, task, size)


def rendered_simulator(config: TaskConfig, task: Task, height: int, pretty: bool) -> RenderedEnv:
    """Return one of the task's environments with pictures; loads MuJoCo."""
    from lamo_core.tasks.rendering.mujoco import RenderedSimulator

    return RenderedSimulator(config, task, height=height, pretty=pretty)
