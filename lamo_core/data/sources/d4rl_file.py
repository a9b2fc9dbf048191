"""Turns one of D4RL's HDF5 files into a vector set.

The file is a stream of N steps: `observations` (N, O), `actions` (N, A), `rewards` (N,), `terminals` (N,) where the
task ended an episode, `timeouts` (N,) where a time limit did, and in most files `next_observations` (N, O). A stream
that is cut to a round number of steps ends inside an episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.hdf5_file import Hdf5File
from lamo_core.data.formats.vector_file import MAX_STEPS, MAX_WIDTH, VectorHeader, VectorSet, write_vectors
from lamo_core.data.store.cards import vectors_card
from lamo_core.data.store.local import VECTORS, write_card
from lamo_core.places import DATA_ELSEWHERE

LEVEL = 3
"""Packing for one's own disk: level 19 takes a minute per million steps and saves a tenth."""
_EDGE = 1e-5
_READING = "reading the tables"


def convert_d4rl(
    path: Path, out: Path, facts: dict[str, Any], report: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Write the set and its card into the folder `out` and return the card; raises `DataError`, `StorageError`.

    `facts` are those of a card, and `features`: how many numbers of an observation are kept if it has twice as many.
    """
    with Hdf5File(path) as file:
        content = _read(file, facts, report)
    report("packing", 0, 0)
    digest = write_vectors(out / VECTORS, content, LEVEL, elsewhere=DATA_ELSEWHERE)
    card = vectors_card(replace(content, sha256=digest), (out / VECTORS).stat().st_size, facts)
    write_card(out, card)
    return card


def _read(file: Hdf5File, facts: dict[str, Any], report: Callable[[str, int, int], None]) -> VectorSet:
    actions = float_table(file, "actions", file.read(file.numbers("actions", ndim=2)))
    steps = len(actions)
    if not 0 < steps <= MAX_STEPS or not 0 < actions.shape[1] <= MAX_WIDTH:
        file.fail(f"its actions have shape {actions.shape}")
    report(_READING, 1, 4)
    rewards = float_table(file, "rewards", _column(file, "rewards", steps))
    terminal = _flags(file, "terminals", steps)
    timeout = _flags(file, "timeouts", steps) if file.has("timeouts") else np.zeros(steps, np.bool_)
    report(_READING, 2, 4)
    ends = np.flatnonzero(terminal | timeout) + 1
    partial = not len(ends) or ends[-1] != steps
    bounds = np.append(ends, steps) if partial else ends
    observations = _observations(file, steps, bounds, int(facts.get("features", 0)))
    report(_READING, 4, 4)
    count = len(bounds)
    header = VectorHeader(
        name=facts["name"],
        task=facts["task"],
        episodes=count,
        steps=steps,
        features=observations.shape[1],
        actions=actions.shape[1],
        policies=("published",),
        simulator="as published",
        partial=bool(partial),
    )
    return VectorSet(
        header=header,
        lengths=np.diff(np.concatenate([[0], bounds])),
        seeds=np.arange(count),
        terminated=terminal[bounds - 1],
        policies=np.zeros(count, np.int64),
        noise=np.zeros(count, np.float32),
        observations=observations,
        actions=unit_actions(file, actions),
        rewards=rewards,
    )


def _observations(file: Hdf5File, steps: int, bounds: NDArray[np.int64], features: int) -> NDArray[np.float32]:
    """Return T + 1 rows per episode; where the last one is not in the file, the one before stands for it."""
    table = file.numbers("observations", ndim=2)
    width = table.shape[1]
    if len(table) != steps or not 0 < width <= MAX_WIDTH:
        file.fail(f"its observations have shape {table.shape} with {steps:,} actions")
    values = float_table(file, "observations", file.read(table))
    if file.has("next_observations"):
        following = file.numbers("next_observations", ndim=2)
        if following.shape != table.shape:
            file.fail(f"its next_observations have shape {following.shape}")
        last = float_table(file, "next_observations", file.read(following)[bounds - 1])
    else:
        last = values[bounds - 1]
    if features and width == 2 * features:
        values, last = values[:, :features], last[:, :features]
    return np.insert(values, bounds, last, axis=0)


def _column(file: Hdf5File, name: str, steps: int) -> NDArray[Any]:
    table = file.numbers(name)
    if table.shape not in ((steps,), (steps, 1)):
        file.fail(f"its table {name!r} has shape {table.shape} with {steps:,} actions")
    return file.read(table).reshape(steps)


def _flags(file: Hdf5File, name: str, steps: int) -> NDArray[np.bool_]:
    values = _column(file, name, steps)
    if not np.isin(values, (0, 1)).all():
        file.fail(f"its table {name!r} holds more than yes and no")
    return values.astype(np.bool_)


def float_table(file: Hdf5File, name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return numbers in single precision; raises `DataError` for those that are too large for it."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        file.fail(f"its table {name!r} holds numbers that are not finite")
    return single


def unit_actions(file: Hdf5File, actions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return actions within [-1, 1], clipping what rounding put over the edge; raises `DataError` for the rest."""
    largest = float(np.abs(actions).max())
    if largest > 1 + _EDGE:
        file.fail(f"it holds an action of {largest:g}, outside of -1 to 1")
    return np.clip(actions, -1, 1)
