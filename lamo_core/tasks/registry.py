"""Registry of tasks: the records by name, and the environments that play them."""

from __future__ import annotations

from lamo_core.config import TaskConfig, unknown_key
from lamo_core.errors import UsageError
from lamo_core.tasks.atari.atari import ATARI_TASKS, atari_task
from lamo_core.tasks.environment import EnvBatch
from lamo_core.tasks.gym_tasks import gym_task
from lamo_core.tasks.kitchen import KITCHEN_TASKS
from lamo_core.tasks.locomotion import LOCOMOTION_TASKS, NEWER, NEWER_TASKS
from lamo_core.tasks.reacher2d import REACHER2D_TASKS
from lamo_core.tasks.requirements import require_environment
from lamo_core.tasks.task import Task

_TASKS: dict[str, Task] = {**ATARI_TASKS, **LOCOMOTION_TASKS, **REACHER2D_TASKS, **KITCHEN_TASKS}
"""The tasks that data ship for: a new simulator adds its records here."""
_OPEN_FAMILIES = {"atari-": atari_task, "gym:": gym_task}
"""What makes records of any other name that begins so."""


def task_names() -> list[str]:
    """Return the names of the tasks that data ship for."""
    return sorted(_TASKS)


def get_task(name: str) -> Task:
    """Return the task `name`: one of `task_names`, `atari-GAME` for any game of ale-py, or `gym:ID` for any environment
    of Gymnasium that fits; the latter two load its library.

    Raises `UsageError` with the nearest known name, and `MissingError`.
    """
    if known := _TASKS.get(name) or NEWER_TASKS.get(name):
        return known
    for prefix, find in _OPEN_FAMILIES.items():
        if name.startswith(prefix) or name == prefix[:-1] == "gym":
            return find(name)
    raise unknown_key(name, sorted(_TASKS), "task")


def task_of(config: TaskConfig) -> Task:
    """Return the record of the task as it is configured.

    Raises as `get_task`, and `UsageError` for names that stand in results alone.
    """
    if config.name in NEWER_TASKS:
        plain = config.name.removesuffix(NEWER)
        raise UsageError(f"choose {config.name} with --set task.name={plain} --set task.version=v5")
    return get_task(versioned(config.name, config.version))


def versioned(name: str, version: str) -> str:
    """Return what results call the task `name`: Hopper, HalfCheetah and Walker2d in v5 are tasks apart."""
    return name + NEWER if version == "v5" and name + NEWER in NEWER_TASKS else name


def make_batch(config: TaskConfig, size: int) -> EnvBatch:
    """Return `size` environments of the configured task; loads the environment library only now.

    Raises `UsageError`, and `MissingError` when the library is not installed.
    """
    if size < 1:
        raise UsageError(f"a batch needs at least one environment, not {size}")
    task = task_of(config)
    require_environment(task)
    return task.simulation.batch(config, task, size)
