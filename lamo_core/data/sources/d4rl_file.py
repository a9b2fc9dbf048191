"""Turns an HDF5 file of D4RL's kind into a vector set.

The file is a stream of N steps: `observations` (N, …), `actions` (N, A), or (N,) or (N, 1) choices, `rewards` (N,),
`terminals` (N,) and `timeouts` (N,) as `end_flags` says, and in most files `next_observations` (N, …). Actions are in
the environment's own units and numbering, and observations as its space has them or flattened; structured ones may lie
in a group with a table for each part. A stream that is cut to a round number of steps ends inside an episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.checks.compatibility import Held, require_suit
from lamo_core.data.checks.end_flags import EITHER, TERMINALS, TIMEOUTS, EpisodeEnds, cut_stream
from lamo_core.data.formats.hdf5_file import Hdf5File
from lamo_core.data.formats.vector_file import MAX_STEPS, MAX_WIDTH, VectorHeader, VectorSet, write_vectors
from lamo_core.data.sources.foreign_numbers import action_choices, flat_parts, float_table, unit_actions
from lamo_core.data.store.cards import vectors_card
from lamo_core.data.store.local import VECTORS, write_card
from lamo_core.places import DATA_ELSEWHERE
from lamo_core.tasks.task import Task, unpacked_task

LEVEL = 3
"""Packing for one's own disk: level 19 takes a minute per million steps and saves a tenth."""
TAKEN = (
    "a file of D4RL's kind has tables observations (N, O), actions (N, A) or (N,), rewards (N,), terminals (N,) and "
    "timeouts (N,) of numbers, one row a step"
)
_READING = "reading the tables"
Report = Callable[[str, int, int], None]


def convert_d4rl(path: Path, out: Path, facts: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write the set and its card into the folder `out` and return the card.

    `facts` are those of a card, and `task_record` (`packed_task`), and `features`: how many numbers of an observation
    are kept if it has twice as many. Raises `DataError`, `TaskMismatchError`, `StorageError`.
    """
    task = unpacked_task(facts["task_record"])
    with Hdf5File(path, TAKEN) as file:
        content, ends = _read(file, task, facts, report)
    report("packing", 0, 0)
    digest = write_vectors(out / VECTORS, content, LEVEL, elsewhere=DATA_ELSEWHERE)
    notes = [*facts.get("notes", ()), *filter(None, [ends.note])]
    facts = {**facts, "notes": notes, "action_bounds": task.bounds, "observation_parts": task.parts}
    card = vectors_card(replace(content, sha256=digest), (out / VECTORS).stat().st_size, facts)
    write_card(out, card)
    return card


def _read(file: Hdf5File, task: Task, facts: dict[str, Any], report: Report) -> tuple[VectorSet, EpisodeEnds]:
    chosen = _action_table(file)
    steps = len(chosen)
    report(_READING, 1, 4)
    rewards = float_table(file, "rewards", _column(file, "rewards", steps))
    ends = _ends(file, steps, task)
    report(_READING, 2, 4)
    observations = _observations(file, steps, ends.bounds, task, int(facts.get("features", 0)))
    discrete = task.action_kind == "discrete" and _are_choices(chosen)
    count = task.actions if discrete else chosen.shape[1]
    require_suit(str(file.path), Held(False, observations.shape[1], discrete, count), task, "--task {}")
    actions = (
        action_choices(file, "actions", chosen, task.actions, task.first_action)
        if discrete
        else (unit_actions(file, "actions", chosen, task.bounds))
    )
    report(_READING, 4, 4)
    episodes = len(ends.bounds)
    header = VectorHeader(
        name=facts["name"],
        task=facts["task"],
        episodes=episodes,
        steps=steps,
        features=observations.shape[1],
        actions=task.actions,
        policies=("published",),
        simulator="as published",
        discrete=discrete,
        partial=ends.partial,
    )
    content = VectorSet(
        header=header,
        lengths=np.diff(np.concatenate([[0], ends.bounds])),
        seeds=np.arange(episodes),
        terminated=ends.terminated,
        policies=np.zeros(episodes, np.int64),
        noise=np.zeros(episodes, np.float32),
        observations=observations,
        actions=actions,
        rewards=rewards,
    )
    return content, ends


def _action_table(file: Hdf5File) -> NDArray[Any]:
    """Return the actions (N, A) as they are in the file, those of several axes flat."""
    table = file.numbers("actions")
    width = int(np.prod(table.shape[1:], dtype=object)) if table.ndim else 0
    if not table.ndim or not 0 < len(table) <= MAX_STEPS or not 0 < width <= MAX_WIDTH:
        file.unsupported(f"its actions have shape {table.shape}")
    return file.read(table).reshape(len(table), width)


def _are_choices(actions: NDArray[Any]) -> bool:
    """Return whether actions (N, A) are one whole number each."""
    return actions.shape[1] == 1 and bool((actions == np.rint(actions)).all())


def _ends(file: Hdf5File, steps: int, task: Task) -> EpisodeEnds:
    terminals, timeouts = _flags(file, TERMINALS, steps), _flags(file, TIMEOUTS, steps)
    if terminals is None and any(map(file.has, EITHER)):
        file.unsupported(
            "it says where episodes ended and not why",
            "write `terminals` (N,) where the task ended them, and `timeouts` (N,) where a time limit did",
        )
    found = cut_stream(steps, terminals, timeouts, task.horizon)
    if found is None:
        file.unsupported(
            f"it says nowhere that an episode ends, and {task.name} has no time limit that is known",
            "write `terminals` (N,) where the task ended episodes, and `timeouts` (N,) where a time limit did",
        )
    return found


def _observations(
    file: Hdf5File, steps: int, bounds: NDArray[np.int64], task: Task, features: int
) -> NDArray[np.float32]:
    """Return T + 1 rows per episode; where the last one is not in the file, the one before stands for it."""
    values = _rows(file, "observations", steps, task)
    if file.has("next_observations"):
        following = _rows(file, "next_observations", steps, task)
        if following.shape != values.shape:
            file.unsupported(f"its next_observations have shape {following.shape} and its observations {values.shape}")
        last = following[bounds - 1]
    else:
        last = values[bounds - 1]
    if features and values.shape[1] == 2 * features:
        values, last = values[:, :features], last[:, :features]
    return np.insert(values, bounds, last, axis=0)


def _rows(file: Hdf5File, name: str, steps: int, task: Task) -> NDArray[np.float32]:
    """Return a table, or a group with a table for each part, as flat rows (N, O)."""
    if file.is_group(name):
        return flat_parts(file, name, task.parts, steps)
    table = file.numbers(name)
    width = int(np.prod(table.shape[1:], dtype=object)) if table.ndim else 0
    if not table.ndim or len(table) != steps:
        file.unsupported(f"its {name} have shape {table.shape} with {steps:,} actions")
    if not 0 < width <= MAX_WIDTH:
        file.unsupported(
            f"its {name} have shape {table.shape}, more than {MAX_WIDTH:,} numbers each or none",
            "pictures of games come as Minari data sets, or from DQN-Replay",
        )
    values = file.read(table)
    # choices of an environment that observes one, or several, and not yet as zeros with a one
    choices = len(task.parts) == 1 and task.parts[0].counts and values.shape[1:] in ((), (1,), task.parts[0].shape)
    if choices and task.parts[0].width > width:
        return flat_parts(file, name, task.parts, steps, values)
    return float_table(file, name, values.reshape(steps, width))


def _column(file: Hdf5File, name: str, steps: int) -> NDArray[Any]:
    table = file.numbers(name)
    if table.shape not in ((steps,), (steps, 1)):
        file.unsupported(f"its table {name!r} has shape {table.shape} with {steps:,} actions")
    return file.read(table).reshape(steps)


def _flags(file: Hdf5File, names: tuple[str, ...], steps: int) -> NDArray[np.bool_] | None:
    """Return where a column of any of the names says yes (N,); None without such a column."""
    columns = [_yes_or_no(file, name, _column(file, name, steps)) for name in names if file.has(name)]
    return np.logical_or.reduce(columns) if columns else None


def _yes_or_no(file: Hdf5File, name: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    if not np.isin(values, (0, 1)).all():
        file.unsupported(f"its table {name!r} holds more than yes and no")
    return values.astype(np.bool_)
