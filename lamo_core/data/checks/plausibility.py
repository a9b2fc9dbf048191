"""Plausibility checks of a data set: what cannot be, or can hardly be meant, by its task and its own numbers.

Legend: E episodes, N steps, O observation features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import ActionLog, read_log
from lamo_core.data.formats.vector_file import VectorSet, read_vectors
from lamo_core.data.sources.resolve import AnySet
from lamo_core.errors import DataError, LamoError, MissingError
from lamo_core.tasks.registry import get_task
from lamo_core.wording import counted

_MOST_NAMED = 8


def set_warnings(found: AnySet) -> list[str]:
    """Return a sentence for everything that is odd about a set; reads all of it. Raises `DataError` for its card."""
    name = str(found.card()["task"])
    limit, warnings = 0, []
    try:
        limit = get_task(name).horizon if name else 0
    except LamoError as error:  # an environment that is not registered or not installed here
        warnings.append(f"its task cannot be played here: {error}")
    try:
        if found.is_vectors:
            return warnings + vector_warnings(read_vectors(found.path), limit)
        return warnings + log_warnings(read_log(found.path), limit)
    except (DataError, MissingError) as error:
        return [*warnings, str(error)]


def vector_warnings(content: VectorSet, limit: int) -> list[str]:
    """Return what is odd about a vector set for a task of at most `limit` steps; 0 is no limit."""
    warnings = _length_warnings(content.lengths, limit)
    wrong = np.flatnonzero(~np.isfinite(content.rewards))
    if len(wrong):
        count = len(np.unique(np.searchsorted(np.cumsum(content.lengths), wrong, side="right")))
        warnings.append(f"{_episodes(count)} with a return that is not a finite number")
    if not content.rewards.any():
        warnings.append("not one step is paid anything: every reward is 0")
    return warnings + _action_warnings(content) + _observation_warnings(content)


def log_warnings(log: ActionLog, limit: int) -> list[str]:
    """Return what is odd about a set of frames for a task of at most `limit` steps; 0 is no limit."""
    warnings = _length_warnings(log.lengths, limit)
    if not log.table["return"].any():
        warnings.append("not one episode has a return other than 0")
    if len(log.actions) > 1 and (log.actions == log.actions[0]).all():
        warnings.append("all actions are the same")
    return warnings


def _length_warnings(lengths: NDArray[np.int64], limit: int) -> list[str]:
    warnings = []
    if empty := int((lengths < 1).sum()):
        warnings.append(f"{_episodes(empty)} without a step")
    if limit and (longer := int((lengths > limit).sum())):
        warnings.append(
            f"{_episodes(longer)} longer than the {limit:,} steps that the task allows, up to {lengths.max():,}: "
            "several may have been joined"
        )
    return warnings


def _action_warnings(content: VectorSet) -> list[str]:
    actions, header = content.actions, content.header
    outside = actions >= header.actions if header.discrete else np.abs(actions) > 1
    if outside.any():
        within = f"0 to {header.actions - 1}" if header.discrete else "-1 to 1"
        return [f"{int(outside.any(axis=tuple(range(1, outside.ndim))).sum()):,} actions outside of {within}"]
    if len(actions) > 1 and (actions == actions[0]).all():
        return ["all actions are the same"]
    return []


def _observation_warnings(content: VectorSet) -> list[str]:
    observations, lengths = content.observations, content.lengths
    if not np.isfinite(observations).all():
        return ["observations with numbers that are not finite"]
    fixed = np.flatnonzero((observations == observations[0]).all(axis=0))
    if len(fixed) == observations.shape[1]:
        return ["all observations are the same"]
    warnings = []
    if len(fixed):
        named = ", ".join(map(str, fixed[:_MOST_NAMED])) + (", …" if len(fixed) > _MOST_NAMED else "")
        warnings.append(f"{len(fixed)} of {observations.shape[1]} numbers of the observations never change: {named}")
    # a row that equals the one before it, all along an episode
    moved = np.concatenate([[True], (observations[1:] != observations[:-1]).any(axis=1)])
    firsts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    moved[firsts] = False
    still = int(((np.add.reduceat(moved, firsts) == 0) & (lengths > 1)).sum())
    if still:
        warnings.append(f"{_episodes(still)} in which nothing that is seen ever changes")
    return warnings


def _episodes(count: int) -> str:
    return counted(count, "episode")
