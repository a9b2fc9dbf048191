"""The tasks that a policy can learn, and the batches of environments that it is evaluated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig, unknown_key
from lamo_core.errors import UsageError
from lamo_core.tasks.action_bounds import ActionBounds
from lamo_core.tasks.flattening import Part

IntArray = NDArray[np.int64]
Array = NDArray[Any]


@dataclass(frozen=True)
class Task:
    """What a policy must know about a task."""

    name: str
    title: str
    observation: Literal["frames", "vector"]
    observation_shape: tuple[int, ...]
    """One observation; for frames one (84, 84) picture, of which the policy sees the newest four."""
    action_kind: Literal["discrete", "continuous"]
    actions: int
    """Number of discrete actions, or of action dimensions."""
    action_names: tuple[str, ...]
    random_score: float
    """Raw return that counts as 0 (random play); NaN where nobody has published one."""
    expert_score: float
    """Raw return that counts as 100; NaN likewise."""
    horizon: int = 0
    """Decisions after which the task itself cuts an episode; 0 leaves that to the config alone."""
    expert: str = "a human professional"
    """Whose return counts as 100."""
    first_action: int = 0
    """What the environment itself calls the first of discrete actions, which count from 0 here."""
    bounds: ActionBounds | None = None
    """Bounds of continuous actions in the environment's own units; None where these are -1 to 1."""
    parts: tuple[Part, ...] = ()
    """What a flat observation is made of, for an environment whose observations have a structure."""

    def normalised(self, raw_return: float) -> float:
        """Return the score on the scale where random play is 0 and the expert 100; NaN without such a scale."""
        return 100 * (raw_return - self.random_score) / (self.expert_score - self.random_score)


class EnvBatch(Protocol):
    """Several environments of one task, stepped together; finished ones wait, they do not start again."""

    size: int

    def reset(self, seeds: IntArray) -> Array:
        """Start one episode per seed, no-op start included, and return the first observations.

        Observations are (N, 4, 84, 84) uint8 for frames, (N, O) float32 for vectors.
        """

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array]:
        """Take one decision each; return observations, rewards (N,) float64, terminated (N,), truncated (N,).

        A finished environment keeps its last observation and its end flags and gives reward 0.
        """

    def noops(self) -> IntArray:
        """Return the no-op decisions made at reset: (seed, no-ops, actions) replays the episode."""

    def close(self) -> None:
        """Free the environments."""


def packed_task(task: Task) -> dict[str, Any]:
    """Return a record as plain values, for another process; `unpacked_task` undoes it, through JSON too."""
    return asdict(task)


def unpacked_task(values: Mapping[str, Any]) -> Task:
    """Return the record that `packed_task` has made plain."""
    bounds, parts = values["bounds"], values["parts"]
    fields: dict[str, Any] = {
        **values,
        "observation_shape": tuple(values["observation_shape"]),
        "action_names": tuple(values["action_names"]),
        "bounds": bounds and ActionBounds(tuple(bounds["low"]), tuple(bounds["high"])),
        "parts": tuple(Part(**{key: tuple(value) for key, value in part.items()}) for part in parts),
    }
    return Task(**fields)


def task_names() -> list[str]:
    """Return the names of the tasks that data ship for."""
    return sorted(_tasks())


def get_task(name: str) -> Task:
    """Return the task `name`: one of `task_names`, `atari-GAME` for any game of ale-py, or `gym:ID` for any environment
    of Gymnasium that fits; the latter two load its library.

    Raises `UsageError` with the nearest known name, and `MissingError`.
    """
    from lamo_core.tasks.locomotion import NEWER_TASKS

    tasks = _tasks()
    if name in tasks or name in NEWER_TASKS:
        return {**tasks, **NEWER_TASKS}[name]
    if name.startswith("atari-"):
        from lamo_core.tasks.atari import atari_task

        return atari_task(name)
    if name == "gym" or name.startswith("gym:"):
        from lamo_core.tasks.gym_tasks import gym_task

        return gym_task(name)
    raise unknown_key(name, sorted(tasks), "task")


def task_of(config: TaskConfig) -> Task:
    """Return the record of the task as it is configured; raises as `get_task`."""
    return get_task(versioned(config.name, config.version))


def versioned(name: str, version: str) -> str:
    """Return what results call the task `name`: Hopper, HalfCheetah and Walker2d in v5 are tasks apart."""
    from lamo_core.tasks.locomotion import NEWER, NEWER_TASKS

    return name + NEWER if version == "v5" and name + NEWER in NEWER_TASKS else name


def make_batch(config: TaskConfig, size: int) -> EnvBatch:
    """Return `size` environments of the configured task; loads the environment library only now.

    Raises `UsageError`, and `MissingError` when the library is not installed.
    """
    if size < 1:
        raise UsageError(f"a batch needs at least one environment, not {size}")
    from lamo_core.tasks.requirements import require_environment

    require_environment(config.name)
    task = get_task(config.name)
    if task.observation == "vector":
        from lamo_core.tasks.vector_batch import VectorBatch

        return VectorBatch(config, task, size)
    from lamo_core.tasks.atari_batch import AtariBatch

    return AtariBatch(config, size)


def _tasks() -> dict[str, Task]:
    from lamo_core.tasks.atari import ATARI_TASKS
    from lamo_core.tasks.kitchen import KITCHEN_TASKS
    from lamo_core.tasks.locomotion import LOCOMOTION_TASKS
    from lamo_core.tasks.reacher2d import REACHER2D_TASKS

    return {**ATARI_TASKS, **LOCOMOTION_TASKS, **REACHER2D_TASKS, **KITCHEN_TASKS}
