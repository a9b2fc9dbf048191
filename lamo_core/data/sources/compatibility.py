"""Whether episodes suit the task that they are to be trained for, and what is done so that they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.errors import UsageError
from lamo_core.tasks.kitchen import ALL_FEATURES, POSITIONS
from lamo_core.tasks.registry import get_task, task_names
from lamo_core.tasks.task import Task


def check_task(card: Mapping[str, Any], name: str, config: DataConfig, task: TaskConfig) -> None:
    """Raise `UsageError` when a set is another task's, before time goes into opening it."""
    of_set = str(card.get("task", ""))
    if not _same_task(of_set, task.name):
        raise UsageError(f"the set {name} is for the task {of_set}, not for {task.name}; choose another one")
    if card.get("reward_unit") == "clipped" and config.rewards != "clipped":
        raise UsageError(f"{name} holds clipped rewards alone, so returns are not the game's; set data.rewards=clipped")


def fitted(store: EpisodeStore, task: TaskConfig) -> EpisodeStore:
    """Return the episodes as the task sees them; raises `UsageError` when they are of other shapes."""
    record = get_task(task.name)
    store = _selected(store, record)
    _check_shapes(store, record)
    return store


def _same_task(of_set: str, name: str) -> bool:
    if not of_set or of_set == name or name.startswith("gym:"):
        return True  # whatever fits by its shapes
    if of_set not in task_names() or name not in task_names():
        return False
    # Complete and partial are two kinds of data for one task of the kitchen, seen with velocities or without.
    return get_task(of_set).subtasks == get_task(name).subtasks != ()


def _selected(store: EpisodeStore, task: Task) -> EpisodeStore:
    """Return kitchen data with velocities without them, where the policy does not see any."""
    wide = isinstance(store.observations, np.ndarray) and store.observations.shape[1] == ALL_FEATURES
    if wide and task.name.startswith("kitchen-") and task.observation_shape == (len(POSITIONS),):
        return replace(store, observations=np.ascontiguousarray(store.observations[:, POSITIONS]))
    return store


def _check_shapes(store: EpisodeStore, task: Task) -> None:
    frames = not isinstance(store.observations, np.ndarray)
    seen = (84, 84) if frames else store.observations.shape[1:]
    if seen != task.observation_shape:
        advice = ""
        if task.name.startswith("kitchen-") and seen == (len(POSITIONS),):
            advice = f", which {task.name}-v0 does"
        raise UsageError(
            f"observations of {store.name} have shape {seen}, and {task.name} wants {task.observation_shape}; choose a "
            f"task that fits{advice}"
        )
    discrete = store.actions.ndim == 1
    fits = discrete == (task.action_kind == "discrete")
    fits = fits and (store.actions.max() < task.actions if discrete else store.actions.shape[1] == task.actions)
    if not fits:
        what = f"up to {store.actions.max()}" if discrete else f"of {store.actions.shape[1]} dimensions"
        raise UsageError(f"actions of {store.name} are {what}, and {task.name} takes {task.actions} {task.action_kind}")
