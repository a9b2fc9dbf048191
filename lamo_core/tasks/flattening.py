"""Flattening of structured observations into one vector, by one rule for environments and for data of them.

The rule is Gymnasium's (`gymnasium.spaces.utils.flatten`): boxes and binary vectors in C order; a choice as zeros with
a one, several choices one after the other; the parts of tuples and dictionaries in the order of their space, which for
a plain dictionary is that of the names. Goal environments are the exception: what is reached of the goal repeats what
the observation holds, so they give `observation`, then `desired_goal`, and leave `achieved_goal` out. An ant in a maze
is where `achieved_goal` says, which its observation does not tell: there that part comes between the two.

Spaces are described by nested dictionaries of plain values, as Minari writes them: {"type": "Dict", "subspaces": …}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATE, REACHED, GOAL = "observation", "achieved_goal", "desired_goal"
TAKEN = "Box, Discrete, MultiDiscrete and MultiBinary, and Tuple and Dict of them"
"""Spaces of observations that are flattened."""
_PLACED_BY_GOAL = ("AntMaze",)
"""Environments of gymnasium-robotics whose observation does not say where the body is."""
_MOST_PARTS = 1_000

Path = tuple[str | int, ...]
Description = Mapping[str, Any]


class UnflattenableError(ValueError):
    """A space that has no fixed number of numbers; the message says which, after "it observes"."""


@dataclass(frozen=True)
class Part:
    """One array of a structured observation."""

    path: Path
    """Names of dictionaries and places in tuples that lead to it; empty for an observation without structure."""
    shape: tuple[int, ...]
    counts: tuple[int, ...] = ()
    """How many there are of each choice, for choices; numbers have none."""
    starts: tuple[int, ...] = ()
    """The smallest of each choice."""

    @property
    def width(self) -> int:
        """Numbers of the flat part."""
        return sum(self.counts) if self.counts else int(np.prod(self.shape, dtype=np.int64))

    @property
    def name(self) -> str:
        """The path for people and cards."""
        return "/".join(map(str, self.path))


def parts_of(space: Description, environment: str = "") -> tuple[Part, ...]:
    """Return the parts of a described space in the order of the flat vector.

    `environment` is Gymnasium's id, for what is special about some. Raises `UnflattenableError`, and the errors of a
    description that is none: `KeyError`, `TypeError`, `ValueError`.
    """
    wanted = _goal_parts(space, environment)
    if wanted:
        space = {"type": "Dict", "subspaces": {name: _subspaces(space)[name] for name in wanted}}
    parts = tuple(_leaves(space, ()))
    if len(parts) > _MOST_PARTS:
        raise UnflattenableError(f"{len(parts):,} parts; {_MOST_PARTS:,} are the most")
    return parts


def described(space: Any) -> dict[str, Any]:
    """Return the description of a Gymnasium space; raises `UnflattenableError` for a kind that has none here."""
    kind = type(space).__name__
    if kind == "Dict":
        return {"type": kind, "subspaces": {str(name): described(part) for name, part in space.spaces.items()}}
    if kind == "Tuple":
        return {"type": kind, "subspaces": [described(part) for part in space.spaces]}
    if kind == "Discrete":
        return {"type": kind, "n": int(space.n), "start": int(space.start)}
    if kind == "MultiDiscrete":
        return {"type": kind, "nvec": space.nvec.tolist(), "start": space.start.tolist()}
    if kind in ("Box", "MultiBinary"):
        return {"type": kind, "shape": list(space.shape)}
    raise UnflattenableError(f"a {kind} space")


def flatten_rows(parts: Iterable[Part], table: Callable[[Part], Any], rows: int) -> NDArray[np.float64]:
    """Return `rows` observations flat (rows, O); `table` gives the array (rows, …) of a part.

    Raises `ValueError` for an array of another shape, and for a choice that there is not.
    """
    flat = [_flat(part, np.asarray(table(part)), rows) for part in parts]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)


def flatten_one(parts: Iterable[Part], observation: Any) -> NDArray[np.float64]:
    """Return one structured observation flat (O,); raises as `flatten_rows`, and `LookupError` for a missing part."""

    def rows(part: Part) -> list[Any]:
        found: Any = observation
        for step in part.path:
            found = found[step]
        return [found]

    flat: NDArray[np.float64] = flatten_rows(parts, rows, 1)[0]
    return flat


def size_of(parts: Iterable[Part]) -> int:
    """Return how many numbers the flat vector has."""
    return sum(part.width for part in parts)


def _goal_parts(space: Description, environment: str) -> tuple[str, ...]:
    """Return the parts that a goal environment gives, in their order; none for another space."""
    names = set(_subspaces(space)) if space["type"] == "Dict" else set()
    if not {STATE, GOAL} <= names <= {STATE, REACHED, GOAL}:
        return ()
    if REACHED in names and environment.startswith(_PLACED_BY_GOAL):
        return (STATE, REACHED, GOAL)
    return (STATE, GOAL)


def _subspaces(space: Description) -> Any:
    found = space["subspaces"]
    if not isinstance(found, Mapping | list):
        raise TypeError("no subspaces")
    return found


def _leaves(space: Description, path: Path) -> Iterable[Part]:
    kind = space["type"]
    if kind in ("Dict", "Tuple"):
        found = _subspaces(space)
        if isinstance(found, Mapping) != (kind == "Dict"):
            raise TypeError("subspaces of another kind")
        for key, part in found.items() if isinstance(found, Mapping) else enumerate(found):
            yield from _leaves(part, (*path, key))
    elif kind == "Box":
        yield Part(path, tuple(_sizes(space["shape"])))
    elif kind == "MultiBinary":
        yield Part(path, tuple(_sizes(space["shape"] if "shape" in space else np.atleast_1d(space["n"]).tolist())))
    elif kind == "Discrete":
        yield Part(path, (), (_size(space["n"]),), (int(space.get("start", 0)),))
    elif kind == "MultiDiscrete":
        counts, starts = np.array(space["nvec"]), np.array(space.get("start", np.zeros_like(space["nvec"])))
        if counts.shape != starts.shape or counts.dtype.kind not in "iu" or starts.dtype.kind not in "iu":
            raise ValueError("no choices")
        yield Part(path, counts.shape, tuple(_sizes(counts.ravel().tolist())), tuple(starts.ravel().tolist()))
    else:
        raise UnflattenableError(f"a {str(kind)[:20]} space")


def _sizes(values: Any) -> list[int]:
    return [_size(value) for value in values]


def _size(value: Any) -> int:
    if type(value) is not int or not 0 < value < 2**31:
        raise ValueError(f"no size: {str(value)[:20]}")
    return value


def _flat(part: Part, values: NDArray[Any], rows: int) -> NDArray[np.float64]:
    size = int(np.prod(part.shape, dtype=np.int64))
    # a single number may come with or without an axis of its own
    fits = values.shape[1:] in (part.shape, (size,)) or values.size == rows == rows * size
    if not fits or values.shape[:1] != (rows,):
        wanted = (rows, *part.shape)
        raise ValueError(f"{part.name or 'the observation'} has shape {values.shape} instead of {wanted}")
    flat = values.reshape(rows, size)
    if not part.counts:
        return flat.astype(np.float64)
    chosen = flat.astype(np.int64) - np.array(part.starts)
    if not np.array_equal(chosen + np.array(part.starts), flat) or (chosen < 0).any() or (chosen >= part.counts).any():
        raise ValueError(f"{part.name or 'the observation'} holds a choice that there is not")
    offsets = np.concatenate([[0], np.cumsum(part.counts)[:-1]])
    out = np.zeros((rows, part.width))
    out[np.arange(rows)[:, None], offsets + chosen] = 1.0
    return out
