"""Whether episodes suit the task that they are to be trained for, and what is done so that they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.store.cards import bounds_of
from lamo_core.errors import TaskMismatchError, UsageError
from lamo_core.tasks.kitchen import ALL_FEATURES, POSITIONS
from lamo_core.tasks.registry import get_task, task_names
from lamo_core.tasks.task import Task
from lamo_core.wording import counted

_SETTING = "--set task.name={}"
_MOST_NAMED = 4


@dataclass(frozen=True)
class Held:
    """What a set holds of that which a task has to fit."""

    frames: bool
    features: int
    """Numbers of an observation; 0 for frames."""
    discrete: bool
    actions: int
    """Number of discrete actions, or action dimensions."""
    exact: bool = True
    """Whether the number of discrete actions is known, or only that there are at least so many."""

    def __str__(self) -> str:
        seen = "frames" if self.frames else f"observations of {_numbers(self.features)}"
        least = "" if self.exact or not self.discrete else "at least "
        done = f"{least}{self.actions} discrete actions" if self.discrete else f"actions of {_numbers(self.actions)}"
        return f"{seen} and {done}"


def wanted_by(task: Task) -> Held:
    """Return what a set for a task holds."""
    frames = task.observation == "frames"
    return Held(frames, 0 if frames else task.observation_shape[0], task.action_kind == "discrete", task.actions)


def suits(held: Held, task: Task) -> bool:
    """Return whether a set can be trained on for a task."""
    wanted = wanted_by(task)
    # the task without velocities leaves them out of data that have them
    wider = held.features == ALL_FEATURES and task.name.startswith("kitchen-")
    if held.frames != wanted.frames or not (wider or held.features == wanted.features):
        return False
    fewer = held.discrete and not held.exact and held.actions < wanted.actions
    return held.discrete == wanted.discrete and (fewer or held.actions == wanted.actions)


def require_suit(what: str, held: Held, task: Task, setting: str) -> None:
    """Raise a `TaskMismatchError` that names the tasks which `what` suits, if `task` is none of them.

    `setting` says how a task is chosen, such as `--task {}`.
    """
    if suits(held, task):
        return
    fitting = [name for name in task_names() if suits(held, get_task(name))]
    if fitting and not held.frames:
        advice = f"choose a task that it fits, {' or '.join(setting.format(name) for name in fitting[:_MOST_NAMED])}"
    elif held.frames:
        advice = f"name the game that was played, {setting.format('atari-GAME')}"
    else:
        advice = f"name the environment that it is of, {setting.format('gym:ID')}"
    raise TaskMismatchError(f"{what} has {held}, and {task.name} wants {wanted_by(task)}", advice)


def check_task(card: Mapping[str, Any], name: str, config: DataConfig, task: TaskConfig) -> None:
    """Raise `TaskMismatchError` when a set is another task's, before time goes into opening it."""
    of_set = str(card.get("task", ""))
    if not _same_task(of_set, task.name):
        raise TaskMismatchError(
            f"the set {name} is for the task {of_set}, not for {task.name}",
            f"train with {_SETTING.format(of_set)}, or on another set (`lamo data list`)",
        )
    if card.get("reward_unit") == "clipped" and config.rewards != "clipped":
        raise UsageError(f"{name} holds clipped rewards alone, so returns are not the game's; set data.rewards=clipped")
    record = get_task(task.name)
    _check_units(card, name, record)
    _check_parts(card, name, record)


def fitted(store: EpisodeStore, task: TaskConfig) -> EpisodeStore:
    """Return the episodes as the task sees them; raises `TaskMismatchError` when they are of other shapes."""
    record = get_task(task.name)
    store = _selected(store, record)
    frames = not isinstance(store.observations, np.ndarray)
    discrete = store.actions.ndim == 1
    features = 0 if frames else store.observations.shape[1]
    actions = int(store.actions.max()) + 1 if discrete else store.actions.shape[1]
    if record.name.startswith("kitchen-") and (features, record.observation_shape) == (len(POSITIONS), (ALL_FEATURES,)):
        raise TaskMismatchError(
            f"{store.name} holds positions alone, and {record.name} sees velocities too",
            f"choose the task that does not, {_SETTING.format(record.name + '-v0')}",
        )
    require_suit(f"the set {store.name}", Held(frames, features, discrete, actions, exact=False), record, _SETTING)
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


def _check_units(card: Mapping[str, Any], name: str, task: Task) -> None:
    """Refuse actions that play would scale back to other bounds than those that they were scaled from."""
    bounds = bounds_of(card)
    if bounds is not None and (task.bounds is None or not bounds.same(task.bounds)):
        raise TaskMismatchError(
            f"actions of {name} were scaled from {bounds}, and {task.name} has the bounds {task.bounds or '-1 to 1'}",
            f"train it for {card.get('task') or 'the environment that it was recorded in'}, or get a set of this task",
        )


def _check_parts(card: Mapping[str, Any], name: str, task: Task) -> None:
    """Refuse structured observations that were flattened in another order than the task's."""
    parts, wanted = card.get("observation_parts"), [[part.name, part.width] for part in task.parts]
    if parts and len(wanted) > 1 and parts != wanted:
        raise TaskMismatchError(
            f"observations of {name} are {_named(parts)}, and those of {task.name} {_named(wanted)}",
            "get a set of this task, or name the environment that the set was recorded in",
        )


def _numbers(count: int) -> str:
    return counted(count, "number")


def _named(parts: Any) -> str:
    shown = [f"{part[0] or 'numbers'} ({part[1]})" for part in parts[:_MOST_NAMED]]
    return ", ".join(shown) + (", …" if len(parts) > _MOST_NAMED else "")
