"""What a Minari data set says about itself in `metadata.json`, and how its numbers become ours.

Legend: O observation features, A action dimensions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.vector_file import MAX_DISCRETE, MAX_WIDTH
from lamo_core.data.kitchen_rewards import SOLVED_PER_STEP
from lamo_core.errors import DamagedDataError, MissingError, UnsupportedDataError
from lamo_core.tasks.action_bounds import ActionBounds
from lamo_core.tasks.atari.area_resize import area_resize
from lamo_core.tasks.flattening import STATE, TAKEN, Part, UnflattenableError, parts_of, size_of
from lamo_core.untrusted.parsing import parse_json

METADATA, DATA = "metadata.json", "main_data.hdf5"
METADATA_BYTES = 16 * 2**20
"""More than that are refused: the bounds of a colour screen take 2 MB as text."""
_MAX_EPISODES = 1_000_000
_TASKS = {"Hopper": "mujoco-hopper", "HalfCheetah": "mujoco-halfcheetah", "Walker2d": "mujoco-walker2d"}
_GREY = np.array([0.2989, 0.5870, 0.1140], np.float32)
"""Weights of red, green and blue in the emulator's own grey."""

REWARD_UNITS = ("raw", "clipped", SOLVED_PER_STEP)
"""What a card may say of rewards."""

_TAKEN = "lamo takes vectors, what can be made flat, and screens of Atari games, with Box or Discrete actions"
_AS_HDF5 = "load it with Minari and write its episodes anew, with data_format='hdf5'"

Picture = Literal["none", "grey", "grey channel", "colour", "stack"]


@dataclass(frozen=True)
class MinariFacts:
    """The part of the metadata that matters."""

    id: str
    episodes: int
    environment: str
    """Gymnasium's id; empty when the set does not say."""
    task: str
    """A task of ours; any environment that has none of its own is one by its id. Empty when the set does not say."""
    reward_unit: str
    """As in a card; only our own exports say another one than raw."""
    parts: tuple[Part, ...]
    """What a flat observation is made of, in its order; a picture is one part."""
    picture: Picture
    discrete: bool
    actions: int
    """Number of discrete actions, or action dimensions A."""
    action_shape: tuple[int, ...]
    first_action: int
    bounds: ActionBounds | None
    """Of continuous actions."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture."""
        return self.parts[0].shape

    def grey(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return pictures (n, …) as frames (n, 84, 84)."""
        if self.picture == "stack":
            return pictures[:, -1]
        if self.picture == "grey channel":
            pictures = pictures[..., 0]
        elif self.picture == "colour":
            pictures = np.rint(pictures @ _GREY).astype(np.uint8)
        if pictures.shape[1:] == (84, 84):
            return pictures
        return np.stack([area_resize(picture) for picture in pictures])


def read_metadata(folder: Path, task: str = "") -> MinariFacts:
    """Return what `folder`/metadata.json says, for a `task` or the one that it names.

    Raises `MissingError`, and `DataError` for a damaged file, and for sets of a kind that is not taken.
    """
    path = folder / METADATA
    try:
        with open(path, "rb") as file:
            text = file.read(METADATA_BYTES + 1)
    except OSError as error:
        if (folder / DATA).is_file():
            raise UnsupportedDataError(
                f"{folder} holds a Minari data set in the layout before Minari 0.5, whose description lies in {DATA}",
                f"convert it with `lamo data import {folder} --older-layout`, or get its newer version from Minari",
            ) from error
        raise MissingError(
            f"there is no Minari data set at {folder} ({error.strerror or error}); check the path"
        ) from error
    try:
        if len(text) > METADATA_BYTES:
            raise ValueError("it is too long")
        values = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    return facts_in(values, path, task)


def facts_in(values: dict[str, Any], path: Path, task: str = "") -> MinariFacts:
    """Return what the metadata `values` of the file `path` say; raises `DataError`."""
    try:
        return _facts(path, values, task)
    except UnflattenableError as error:
        raise _unsupported(path, f"it observes {error}", f"lamo makes {TAKEN} flat") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _damaged(path, error) from error


def _facts(path: Path, values: dict[str, Any], task: str) -> MinariFacts:
    if values.get("data_format", "hdf5") != "hdf5":
        # Minari's default is HDF5 and its published sets use it; a whole Arrow library for the rest is not worth it
        form = str(values["data_format"])[:20]
        raise _unsupported(path, f"it is stored as {form}, not in Minari's usual form, hdf5", _AS_HDF5)
    episodes = values["total_episodes"]
    if type(episodes) is not int or not 0 < episodes <= _MAX_EPISODES:
        raise ValueError(f"it says that it has {str(episodes)[:20]} episodes")
    environment, dataset_id = _environment(values), str(values.get("dataset_id", ""))
    task = task or _task(values, environment, dataset_id)
    parts, picture = _observations(path, _space(values["observation_space"]), environment, task)
    action = _space(values["action_space"])
    discrete = action["type"] == "Discrete"
    if not discrete and action["type"] != "Box":
        raise _unsupported(path, f"its actions are a {str(action['type'])[:20]} space, not Box or Discrete")
    action_shape = () if discrete else _shape(action)
    actions = int(action["n"]) if discrete else _product(action_shape)
    most = MAX_DISCRETE if discrete else MAX_WIDTH
    if not 1 <= actions <= most:
        raise _unsupported(path, f"it has {actions} actions; {most:,} are the most")
    return MinariFacts(
        id=dataset_id,
        episodes=episodes,
        environment=environment,
        task=task,
        reward_unit=unit if (unit := values.get("lamo_reward_unit")) in REWARD_UNITS else "raw",
        parts=parts,
        picture=picture,
        discrete=discrete,
        actions=actions,
        action_shape=action_shape,
        first_action=int(action.get("start", 0)) if discrete else 0,
        bounds=None if discrete else _bounds(action, action_shape),
    )


def _observations(path: Path, space: dict[str, Any], environment: str, task: str) -> tuple[tuple[Part, ...], Picture]:
    if task.startswith("kitchen-") and space["type"] == "Dict" and STATE in space["subspaces"]:
        # the kitchen's goals never change, so its tasks see the state alone
        parts = parts_of({"type": "Dict", "subspaces": {STATE: space["subspaces"][STATE]}})
    else:
        parts = parts_of(space, task.removeprefix("gym:") if task.startswith("gym:") else environment)
    picture = _picture(space, parts[0].shape) if len(parts) == 1 else "none"
    if picture == "none" and not 0 < size_of(parts) <= MAX_WIDTH:
        shape = parts[0].shape if len(parts) == 1 else (size_of(parts),)
        raise _unsupported(path, f"its observations have shape {shape}, neither a vector nor the screen of a game")
    return parts, picture


def _space(text: Any) -> dict[str, Any]:
    space = parse_json(text) if isinstance(text, str) else text
    if not isinstance(space, dict) or not isinstance(space.get("type"), str):
        raise ValueError("no space")
    return space


def _shape(space: dict[str, Any]) -> tuple[int, ...]:
    shape = space["shape"]
    if not isinstance(space["dtype"], str) or not all(type(part) is int and 0 < part < 2**31 for part in shape):
        raise ValueError("no shape")
    return tuple(shape)


def _picture(space: dict[str, Any], shape: tuple[int, ...]) -> Picture:
    if space["type"] != "Box" or space["dtype"] != "uint8":
        return "none"
    if shape in ((84, 84), (210, 160)):
        return "grey"
    if shape in ((84, 84, 1), (210, 160, 1)):
        return "grey channel"
    if shape in ((84, 84, 3), (210, 160, 3)):
        return "colour"
    return "stack" if len(shape) == 3 and shape[1:] == (84, 84) and shape[0] <= 16 else "none"


def _bounds(space: dict[str, Any], shape: tuple[int, ...]) -> ActionBounds:
    missing = {"low": -np.inf, "high": np.inf}
    low, high = (np.array(space.get(key, missing[key]), np.float64) for key in missing)
    return ActionBounds.of(np.broadcast_to(low, shape), np.broadcast_to(high, shape))


def _environment(values: dict[str, Any]) -> str:
    spec = values.get("env_spec")
    spec = parse_json(spec) if isinstance(spec, str) else spec
    name = spec.get("id", "") if isinstance(spec, dict) else ""
    return name if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_:./-]{0,100}", name) else ""


def _task(values: dict[str, Any], environment: str, dataset_id: str) -> str:
    ours = values.get("lamo_task")  # written by our own export
    if isinstance(ours, str) and re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}|gym:[A-Za-z0-9_./-]{1,100}", ours):
        return ours
    body, game = environment.partition("-v")[0], re.fullmatch(r"ALE/([A-Za-z]+)-v5", environment)
    if game:
        return "atari-" + re.sub(r"(?<!^)(?=[A-Z])", "_", game[1]).lower()
    if body == "FrankaKitchen":
        return next((f"kitchen-{kind}" for kind in ("partial", "mixed") if kind in dataset_id), "kitchen-complete")
    return _TASKS.get(body, f"gym:{environment}" if environment else "")


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for part in shape:
        total *= part
    return total


def _damaged(path: Path, error: Exception) -> DamagedDataError:
    return DamagedDataError(f"{path} is damaged ({type(error).__name__}: {str(error)[:80]})")


def _unsupported(path: Path, problem: str, advice: str = _TAKEN) -> UnsupportedDataError:
    return UnsupportedDataError(
        f"{path} describes a Minari data set of a kind that lamo does not take: {problem}", advice
    )
