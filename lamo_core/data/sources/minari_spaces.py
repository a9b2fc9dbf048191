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
from lamo_core.errors import DataError, MissingError
from lamo_core.parsing import parse_json

METADATA, DATA = "metadata.json", "main_data.hdf5"
METADATA_BYTES = 16 * 2**20
"""More than that are refused: the bounds of a colour screen take 2 MB as text."""
_MAX_EPISODES = 1_000_000
_TASKS = {"Hopper": "mujoco-hopper", "HalfCheetah": "mujoco-halfcheetah", "Walker2d": "mujoco-walker2d"}
_GREY = np.array([0.2989, 0.5870, 0.1140], np.float32)
"""Weights of red, green and blue in the emulator's own grey."""

REWARD_UNITS = ("raw", "clipped", SOLVED_PER_STEP)
"""What a card may say of rewards."""

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
    observations: str
    """Name of the table below an episode: `observations`, or the part of a dictionary that holds the state."""
    shape: tuple[int, ...]
    """Of one observation."""
    picture: Picture
    discrete: bool
    actions: int
    """Number of discrete actions, or action dimensions A."""
    action_shape: tuple[int, ...]
    first_action: int
    low: NDArray[np.float64]
    """(A,) bounds of continuous actions."""
    high: NDArray[np.float64]

    def unit(self, actions: NDArray[Any]) -> NDArray[np.float64]:
        """Return actions (T, A) scaled from their bounds to [-1, 1]; actions without bounds stay as they are."""
        values = actions.reshape(len(actions), -1).astype(np.float64)
        if np.array_equal(self.low, -np.ones(self.actions)) and np.array_equal(self.high, np.ones(self.actions)):
            return values  # exactly as they are
        bounded = np.isfinite(self.low) & np.isfinite(self.high)
        low, high = np.where(bounded, self.low, -1.0), np.where(bounded, self.high, 1.0)
        scaled: NDArray[np.float64] = (values - low) / (high - low) * 2 - 1
        return scaled

    def grey(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return pictures (n, …) as frames (n, 84, 84)."""
        from lamo_core.tasks.area_resize import area_resize

        if self.picture == "stack":
            return pictures[:, -1]
        if self.picture == "grey channel":
            pictures = pictures[..., 0]
        elif self.picture == "colour":
            pictures = np.rint(pictures @ _GREY).astype(np.uint8)
        if pictures.shape[1:] == (84, 84):
            return pictures
        return np.stack([area_resize(picture) for picture in pictures])


def read_metadata(folder: Path) -> MinariFacts:
    """Return what `folder`/metadata.json says; raises `MissingError`, and `DataError` for sets that do not fit."""
    path = folder / METADATA
    try:
        with open(path, "rb") as file:
            text = file.read(METADATA_BYTES + 1)
        if len(text) > METADATA_BYTES:
            raise ValueError("it is too long")
        values = parse_json(text)
        return _facts(path, values)
    except OSError as error:
        raise MissingError(f"there is no Minari data set at {folder} ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _unusable(path, f"it is damaged ({type(error).__name__}: {str(error)[:80]})") from error


def _facts(path: Path, values: dict[str, Any]) -> MinariFacts:
    if values.get("data_format", "hdf5") != "hdf5":
        # Minari's default is HDF5 and its published sets use it; a whole Arrow library for the rest is not worth it
        raise _unusable(path, f"it is stored as {str(values['data_format'])[:20]}, not in Minari's usual form, hdf5")
    episodes = values["total_episodes"]
    if type(episodes) is not int or not 0 < episodes <= _MAX_EPISODES:
        raise _unusable(path, f"it says that it has {str(episodes)[:20]} episodes")
    table, observation = _observation_space(path, _space(values["observation_space"]))
    shape = _shape(observation)
    picture = _picture(observation, shape)
    if picture == "none" and not 0 < _product(shape) <= MAX_WIDTH:
        raise _unusable(path, f"its observations have shape {shape}, neither a vector nor the screen of a game")
    environment = _environment(values)
    dataset_id = str(values.get("dataset_id", ""))
    action = _space(values["action_space"])
    discrete = action["type"] == "Discrete"
    if not discrete and action["type"] != "Box":
        raise _unusable(path, f"its actions are a {str(action['type'])[:20]} space, not Box or Discrete")
    action_shape = () if discrete else _shape(action)
    actions = int(action["n"]) if discrete else _product(action_shape)
    if not 1 <= actions <= (MAX_DISCRETE if discrete else MAX_WIDTH):
        raise _unusable(path, f"it has {actions} actions")
    low, high = (_bounds(action.get(key), action_shape, discrete) for key in ("low", "high"))
    return MinariFacts(
        id=dataset_id,
        episodes=episodes,
        environment=environment,
        task=_task(values, environment, dataset_id),
        reward_unit=unit if (unit := values.get("lamo_reward_unit")) in REWARD_UNITS else "raw",
        observations=table,
        shape=shape,
        picture=picture,
        discrete=discrete,
        actions=actions,
        action_shape=action_shape,
        first_action=int(action.get("start", 0)) if discrete else 0,
        low=low,
        high=high,
    )


def _space(text: Any) -> dict[str, Any]:
    space = parse_json(text) if isinstance(text, str) else text
    if not isinstance(space, dict) or not isinstance(space.get("type"), str):
        raise ValueError("no space")
    return space


def _observation_space(path: Path, space: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if space["type"] == "Dict" and "observation" in space["subspaces"]:
        # Gymnasium's goal environments: the state, beside the goal and what is reached of it
        return "observations/observation", _observation_space(path, _space(space["subspaces"]["observation"]))[1]
    if space["type"] != "Box":
        raise _unusable(path, f"its observations are a {space['type'][:20]} space, not Box")
    return "observations", space


def _shape(space: dict[str, Any]) -> tuple[int, ...]:
    shape = space["shape"]
    if not isinstance(space["dtype"], str) or not all(type(part) is int and 0 < part < 2**31 for part in shape):
        raise ValueError("no shape")
    return tuple(shape)


def _picture(space: dict[str, Any], shape: tuple[int, ...]) -> Picture:
    if space["dtype"] != "uint8":
        return "none"
    if shape in ((84, 84), (210, 160)):
        return "grey"
    if shape in ((84, 84, 1), (210, 160, 1)):
        return "grey channel"
    if shape in ((84, 84, 3), (210, 160, 3)):
        return "colour"
    return "stack" if len(shape) == 3 and shape[1:] == (84, 84) and shape[0] <= 16 else "none"


def _bounds(values: Any, shape: tuple[int, ...], discrete: bool) -> NDArray[np.float64]:
    if discrete:
        return np.zeros(0)
    bounds = np.broadcast_to(np.array(values, np.float64), shape).reshape(-1)
    if np.isnan(bounds).any():
        raise ValueError("no bounds")
    return bounds.copy()


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


def _unusable(path: Path, why: str) -> DataError:
    return DataError(f"{path} describes no Minari data set that lamo can read: {why}; get it again, or another one")
