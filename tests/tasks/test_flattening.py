"""Flattening of structured observations: Gymnasium's own, but for goals, and one rule for environments and data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gymnasium import spaces

from lamo_core.tasks.flattening import (
    Part,
    UnflattenableError,
    described,
    flatten_one,
    flatten_rows,
    parts_of,
    size_of,
)

BOX = spaces.Box(-1.0, 1.0, (2, 3), np.float32)
SPACES = {
    "box": BOX,
    "number": spaces.Box(0.0, 1.0, (), np.float64),
    "whole numbers": spaces.Box(0, 9, (3,), np.int32),
    "choice": spaces.Discrete(5),
    "choice from -2": spaces.Discrete(4, start=-2),
    "choices": spaces.MultiDiscrete([3, 2, 4]),
    "choices from": spaces.MultiDiscrete([3, 2], start=[7, -1]),
    "table of choices": spaces.MultiDiscrete([[3, 2], [4, 2]]),
    "bits": spaces.MultiBinary(4),
    "table of bits": spaces.MultiBinary([2, 2]),
    "tuple": spaces.Tuple((BOX, spaces.Discrete(3), spaces.MultiBinary(2))),
    "dictionary": spaces.Dict({"z": BOX, "a": spaces.Discrete(3), "m": spaces.Tuple((BOX, spaces.Discrete(2)))}),
    "ordered dictionary": spaces.Dict([("z", spaces.Discrete(2)), ("a", BOX)]),
    "nested": spaces.Dict({"inner": spaces.Dict({"b": BOX, "a": spaces.MultiDiscrete([2, 2])}), "c": BOX}),
}


@pytest.mark.parametrize("name", SPACES)
def test_it_is_what_gymnasium_does(name: str) -> None:
    space = SPACES[name]
    space.seed(3)
    parts = parts_of(json.loads(json.dumps(described(space))))
    assert size_of(parts) == spaces.flatdim(space)
    for _ in range(5):
        seen = space.sample()
        np.testing.assert_array_equal(flatten_one(parts, seen), np.ravel(spaces.flatten(space, seen)))


@pytest.mark.parametrize("name", SPACES)
def test_many_rows_are_flat_as_one_is(name: str) -> None:
    space = SPACES[name]
    space.seed(4)
    parts = parts_of(described(space))
    seen = [space.sample() for _ in range(6)]

    def table(part: Part) -> np.ndarray:
        column = seen
        for step in part.path:
            column = [row[step] for row in column]
        return np.array(column)

    np.testing.assert_array_equal(flatten_rows(parts, table, 6), [flatten_one(parts, one) for one in seen])


def goal_space(goal: spaces.Space = BOX) -> spaces.Dict:
    """Return the space of a goal environment."""
    return spaces.Dict({"observation": spaces.Box(-1, 1, (4,)), "achieved_goal": goal, "desired_goal": goal})


def test_goal_environments_give_the_state_and_then_the_goal() -> None:
    space = goal_space()
    parts = parts_of(described(space), "PointMaze_UMaze-v3")
    assert [(part.name, part.width) for part in parts] == [("observation", 4), ("desired_goal", 6)]
    seen = space.sample()
    np.testing.assert_array_equal(
        flatten_one(parts, seen), np.concatenate([seen["observation"], seen["desired_goal"].ravel()])
    )
    nested = parts_of(described(goal_space(spaces.Dict({"kettle": BOX, "door": spaces.Discrete(2)}))))
    assert [part.name for part in nested] == ["observation", "desired_goal/door", "desired_goal/kettle"]


def test_an_ant_in_a_maze_is_told_where_it_is() -> None:
    parts = parts_of(described(goal_space()), "AntMaze_UMaze-v4")
    assert [part.name for part in parts] == ["observation", "achieved_goal", "desired_goal"]


def test_other_dictionaries_keep_all_their_parts() -> None:
    space = spaces.Dict({"observation": BOX, "desired_goal": BOX, "time": BOX})
    assert [part.name for part in parts_of(described(space))] == ["desired_goal", "observation", "time"]
    assert len(parts_of(described(spaces.Dict({"observation": BOX, "achieved_goal": BOX})))) == 2


@pytest.mark.parametrize("space", [spaces.Text(3), spaces.Sequence(BOX), spaces.Graph(BOX, None)])
def test_what_has_no_fixed_size_is_refused(space: spaces.Space) -> None:
    for one in (space, spaces.Dict({"part": space})):
        with pytest.raises(UnflattenableError, match=type(space).__name__):
            described(one)
    with pytest.raises(UnflattenableError):
        parts_of({"type": type(space).__name__})


@pytest.mark.parametrize(
    "description",
    [
        {"type": "Box"},
        {"type": "Box", "shape": [-1]},
        {"type": "Box", "shape": [1.5]},
        {"type": "Discrete", "n": 0},
        {"type": "Discrete", "n": True},
        {"type": "MultiDiscrete", "nvec": [2, 0]},
        {"type": "MultiDiscrete", "nvec": [2, 2], "start": [0]},
        {"type": "MultiDiscrete", "nvec": [0.5]},
        {"type": "Dict", "subspaces": [1]},
        {"type": "Tuple", "subspaces": {"a": {"type": "Box", "shape": [1]}}},
        {"type": "Dict"},
    ],
)
def test_descriptions_that_are_none(description: dict) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        parts_of(description)


@pytest.mark.parametrize("seen", [3, -1, 0.5, [0, 1]])
def test_choices_that_there_are_not(seen: object) -> None:
    with pytest.raises(ValueError, match=r"choice|shape"):
        flatten_one(parts_of(described(spaces.Discrete(3))), seen)
