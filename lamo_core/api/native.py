"""Native observations and actions: those of an environment as Gymnasium makes it, beside those of its task.

A task may flatten or pick observations, stretch actions to [-1, 1] or count choices from 0; it does so with Gymnasium's
own wrappers, whose functions serve here for single values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import MissingError, UsageError
from lamo_core.tasks.door import Door

if TYPE_CHECKING:
    from lamo_core.tasks.task import Task

Change = Callable[[Any], Any]


class Native:
    """Turns native observations into the task's, and the task's actions into native ones."""

    def __init__(self, task: Task, config: TaskConfig) -> None:
        self._task = task
        self._observed, self._acted = _changes(task, config)

    def vector(self, observation: Any) -> NDArray[np.float32]:
        """Return one observation (O,); it may be one of the task's already. Raises `UsageError` when it is neither."""
        found = observation
        if _shape(found) != self._task.observation_shape:
            try:
                for change in self._observed:
                    found = change(found)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise self._unfit(observation) from error
        if _shape(found) != self._task.observation_shape:
            raise self._unfit(observation)
        return np.asarray(found, np.float32)

    def action(self, action: Any) -> Any:
        """Return an action, a choice or (A,) in [-1, 1], as the environment takes it."""
        for change in self._acted:
            action = change(action)
        return action

    def _unfit(self, observation: Any) -> UsageError:
        shape = _shape(observation)
        this = "has no shape" if shape is None else f"has shape {shape}"
        if isinstance(observation, Mapping):
            this = "is a dictionary"
        wanted = self._task.observation_shape
        return UsageError(f"observations of {self._task.title} have shape {wanted}, and this one {this}")


def split(observations: Any, count: int) -> list[Any]:
    """Return the observations of `count` environments one by one; dictionaries and tuples hold arrays of them."""
    if isinstance(observations, Mapping):
        parts = {name: split(part, count) for name, part in observations.items()}
        return [{name: part[row] for name, part in parts.items()} for row in range(count)]
    if isinstance(observations, tuple):
        return list(zip(*(split(part, count) for part in observations), strict=True))
    if len(observations) != count:
        raise UsageError(f"{count} environments give {count} observations, not {len(observations)}")
    return list(observations)


def _shape(observation: Any) -> tuple[int, ...] | None:
    """Return the shape of an array; None for anything else."""
    try:
        return None if isinstance(observation, Mapping | tuple) else np.shape(observation)
    except ValueError:  # lists of several lengths
        return None


def _changes(task: Task, config: TaskConfig) -> tuple[list[Change], list[Change]]:
    """Return what a task's wrappers do to observations, the innermost first, and to actions, the outermost first."""
    if task.simulation.environment is None:
        return [], []
    from gymnasium import ActionWrapper, ObservationWrapper, Wrapper

    try:
        environment = task.simulation.environment(config)
    except MissingError:  # whoever plays elsewhere gives and takes what the task does
        return [], []
    layers, layer = [], environment.wrapped if isinstance(environment, Door) else environment
    while isinstance(layer, Wrapper):
        layers.append(layer)
        layer = layer.env
    environment.close()
    observed: list[Change] = [layer.observation for layer in layers if isinstance(layer, ObservationWrapper)]
    acted: list[Change] = [layer.action for layer in layers if isinstance(layer, ActionWrapper)]
    return observed[::-1], acted
