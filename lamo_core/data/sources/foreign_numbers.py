"""Numbers of other people's HDF5 files in the form of a vector set: flat observations, actions in [-1, 1] or from 0.

Legend: N rows, O observation features, A action dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.hdf5_file import Hdf5File
from lamo_core.tasks.action_bounds import ActionBounds
from lamo_core.tasks.flattening import Part, flatten_rows

_EDGE = 1e-5


def float_table(file: Hdf5File, name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return numbers in single precision; raises `UnsupportedDataError` for those that are too large for it."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        file.not_finite(name)
    return single


def flat_parts(
    file: Hdf5File, name: str, parts: Sequence[Part], rows: int, values: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Return structured observations flat (N, O): `values`, or the tables of the parts below `name`.

    Places in tuples are called `_index_0` and so on, as Minari calls them. Raises `DataError`.
    """

    def table(part: Part) -> NDArray[Any]:
        if values is not None:
            return values
        steps = [f"_index_{step}" if isinstance(step, int) else step for step in part.path]
        found = file.numbers("/".join([name, *steps]))
        if found.shape[:1] != (rows,):
            file.unsupported(
                f"its table {found.name.strip('/')!r} has shape {found.shape} with {rows:,} rows beside it"
            )
        return file.read(found)

    if not parts:
        file.unsupported(f"its {name} are a group", "name the task whose observations have these parts: gym:ID")
    try:
        return float_table(file, name, flatten_rows(parts, table, rows))
    except ValueError as error:
        file.unsupported(f"its {name} are not those of their space: {error}")


def unit_actions(file: Hdf5File, name: str, actions: NDArray[Any], bounds: ActionBounds | None) -> NDArray[np.float32]:
    """Return actions (N, A) within [-1, 1], scaled from their bounds where they have others.

    What rounding put over the edge is clipped. Raises `UnsupportedDataError` for the rest.
    """
    units = actions.astype(np.float64) if bounds is None else bounds.to_unit(actions)
    beyond = np.abs(units) > 1 + _EDGE
    if beyond.any():
        row, place = (int(index[0]) for index in np.nonzero(beyond))
        within = "-1 to 1" if bounds is None else _bound(bounds, place)
        file.unsupported(
            f"its table {name!r} holds an action of {actions[row, place]:g}, outside of {within}",
            "write the actions that were played, clipped as the environment clips them",
        )
    return np.clip(units, -1, 1).astype(np.float32)


def action_choices(file: Hdf5File, name: str, actions: NDArray[Any], count: int, first: int) -> NDArray[np.uint8]:
    """Return discrete actions (N,) from 0 of whole numbers (N, 1) or (N,) from `first` on; raises `DataError`."""
    values = actions.reshape(len(actions))
    with np.errstate(invalid="ignore"):
        chosen = values.astype(np.int64)
    wrong = (chosen != values) | (chosen < first) | (chosen >= first + count)
    if wrong.any():
        file.unsupported(
            f"its table {name!r} holds the action {values[wrong][0]:g}, which is not one of {count} from {first} on",
            "write the numbers that the environment takes",
        )
    return (chosen - first).astype(np.uint8)


def _bound(bounds: ActionBounds, place: int) -> str:
    low, high = bounds.low[place], bounds.high[place]
    if not np.isfinite(low) or not np.isfinite(high):
        return "-1 to 1, within which actions without bounds are played"
    return f"{low:g} to {high:g}"
