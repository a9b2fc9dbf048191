"""How a stream of steps is cut into episodes: where they end, or as the published code cuts it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.vector_file import VectorSet
from lamo_core.errors import UnsupportedDataError

Cutting = Literal["correct", "published"]
_PUBLISHED_LIMIT = 1_000


def cut_episodes(content: VectorSet, cutting: Cutting) -> VectorSet:
    """Return the set with the episodes that are trained on; raises `DataError` when none is left.

    `correct` leaves out a last episode that breaks off: what it would still have been paid is not known. `published`
    cuts as LaMo's and Decision Transformer's code does: steps at which a time limit struck are dropped with the mark,
    as is the last step of all, and the rest is cut at terminal steps or by counting to 1,000 (from 1, after the first
    episode). So an episode that ends by time is joined to the first step of the next one. Of data that mark no time
    limits, those count that `end_flags` has put.
    """
    kept = _published(content) if cutting == "published" else _whole(content)
    if not len(kept.lengths):
        raise UnsupportedDataError(f"the set {content.header.name} holds no whole episode", "get a longer part of it")
    return kept


def _whole(content: VectorSet) -> VectorSet:
    if not content.header.partial:
        return content
    steps, rows = -int(content.lengths[-1]), -int(content.lengths[-1]) - 1
    return replace(
        content,
        lengths=content.lengths[:-1],
        seeds=content.seeds[:-1],
        terminated=content.terminated[:-1],
        policies=content.policies[:-1],
        noise=content.noise[:-1],
        observations=content.observations[:rows],
        actions=content.actions[:steps],
        rewards=content.rewards[:steps],
    )


def _published(content: VectorSet) -> VectorSet:
    ends = np.cumsum(content.lengths) - 1
    terminal = np.zeros(len(content.rewards), np.bool_)
    terminal[ends] = content.terminated
    timeout = np.zeros(len(content.rewards), np.bool_)
    timeout[ends] = ~content.terminated
    if content.header.partial:
        timeout[-1] = False
    kept = np.flatnonzero(~timeout[:-1])
    first_row = np.arange(len(content.rewards)) + np.repeat(np.arange(len(ends)), content.lengths)
    cuts = _published_ends(np.flatnonzero(terminal[kept]), len(kept))
    lengths = np.diff(np.concatenate([[0], cuts]))
    steps = kept[: int(lengths.sum())]
    # What follows the last step of an episode is the next row of the stream, whichever episode that belongs to.
    rows = np.insert(first_row[steps], cuts, first_row[kept[cuts - 1] + 1]) if len(cuts) else first_row[:0]
    count = len(lengths)
    return replace(
        content,
        lengths=lengths,
        seeds=np.arange(count),
        terminated=terminal[kept[cuts - 1]] if count else content.terminated[:0],
        policies=np.zeros(count, np.int64),
        noise=np.zeros(count, np.float32),
        observations=content.observations[rows],
        actions=content.actions[steps],
        rewards=content.rewards[steps],
    )


def _published_ends(terminals: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """Return where each episode ends (exclusive); steps after the last end belong to none."""
    ends: list[int] = []
    start, limit = 0, _PUBLISHED_LIMIT
    while start < steps:
        place = int(np.searchsorted(terminals, start))
        terminal = int(terminals[place]) + 1 if place < len(terminals) else steps + 1
        end = min(start + limit, terminal)
        if end > steps:
            break
        ends.append(end)
        start, limit = end, _PUBLISHED_LIMIT - 1
    return np.array(ends, np.int64)
