"""Any other Gymnasium environment with numbers as observations: its record, and how it is made to fit.

A task `gym:CartPole-v1` is the environment with that id. Ids come from configs, checkpoints and replays of strangers,
so none of them may name a module to import, as Gymnasium's `module:Name-v0` would; modules that register environments
are named by the user alone, in LAMO_ENVIRONMENTS. Observations are flattened; bounded continuous actions are stretched
to [-1, 1]; choices count from 0.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.errors import MissingError, UsageError
from lamo_core.tasks.atari import PREFIX as ATARI_PREFIX
from lamo_core.tasks.environment import RenderedEnv
from lamo_core.tasks.mujoco_library import load_mujoco
from lamo_core.tasks.task import Simulation, Task
from lamo_core.tasks.vector_simulation import vector_batch

PREFIX = "gym:"
_LARGEST = 4_096
"""Most numbers in an observation: beyond it, it is a picture, which this is not made for."""
_MOST_CHOICES = 256


def _make_configured(config: TaskConfig) -> Any:
    return make_gym(config.name)


def _rendered(config: TaskConfig, task: Task, height: int, pretty: bool) -> RenderedEnv:
    from lamo_core.tasks.rendering.gym import RenderedGym

    return RenderedGym(config, task, make_gym(config.name, pictures=True), height=height, pretty=pretty)


_SIMULATION = Simulation(batch=vector_batch, rendered=_rendered, environment=_make_configured)


@lru_cache
def gym_task(name: str) -> Task:
    """Return the record of `gym:ID`; makes the environment once. Raises `UsageError`, `MissingError`."""
    import gymnasium

    environment = make_gym(name)
    observations, actions = environment.observation_space, environment.action_space
    environment.close()
    discrete = hasattr(actions, "n")
    count = int(actions.n if discrete else actions.shape[0])
    return Task(
        name=name,
        title=_identifier(name).rpartition(":")[2],
        observation="vector",
        observation_shape=(int(observations.shape[0]),),
        action_kind="discrete" if discrete else "continuous",
        actions=count,
        action_names=tuple(f"action {index}" for index in range(count)),
        random_score=math.nan,
        expert_score=math.nan,
        expert="nobody known",
        # What is made here has no limit of its own; this is the one that the environment is registered with.
        horizon=max(gymnasium.spec(_identifier(name)).max_episode_steps or 0, 0),
        simulation=_SIMULATION,
    )


def make_gym(name: str, *, pictures: bool = False) -> Any:
    """Return the environment of task `name`, without a time limit, that takes and gives what `VectorBatch` does.

    With `pictures` it can be rendered as an array, where it has such a mode. Raises `UsageError`, `MissingError`.
    """
    from gymnasium import spaces, wrappers

    environment = _make(_identifier(name), pictures)
    observations, actions = environment.observation_space, environment.action_space
    if not isinstance(observations, spaces.Box):
        raise _unfit(name, f"it observes a {type(observations).__name__}")
    size = int(np.prod(observations.shape))
    if not 1 <= size <= _LARGEST:
        raise _unfit(name, f"it observes {size:,} numbers; {_LARGEST:,} are the most")
    if observations.shape != (size,):
        environment = wrappers.FlattenObservation(environment)
    if isinstance(actions, spaces.Discrete):
        return _counted_from_zero(environment, actions)
    if isinstance(actions, spaces.Box) and np.prod(actions.shape):
        return _stretched(environment, actions)
    raise _unfit(name, f"it takes a {type(actions).__name__}")


def _identifier(name: str) -> str:
    identifier = name.removeprefix(PREFIX)
    if not identifier or identifier == "gym":
        raise UsageError("the task gym needs the id of an environment, such as --set task.id=CartPole-v1")
    module, separator, rest = identifier.partition(":")
    if separator:
        raise UsageError(
            f"lamo imports no module because an id names it: set LAMO_ENVIRONMENTS={module} if you trust that module, "
            f"and use the id {rest}"
        )
    if game := _game(identifier):
        raise UsageError(f"games of ale-py are tasks of their own; use --set task.name={game} instead of the id")
    return identifier


def _game(identifier: str) -> str:
    """Return the task that an id of ale-py's, such as `ALE/MsPacman-v5`, or a mistaken name of a game means, or ""."""
    if "-v" in identifier and not identifier.startswith("ALE/"):
        return ""  # somebody's environment may be called like a game
    from ale_py import roms

    name = identifier.removeprefix("ALE/").partition("-v")[0].removeprefix(ATARI_PREFIX)
    games: dict[str, str] = {game.replace("_", ""): game for game in roms.get_all_rom_ids()}
    game = games.get(name.replace("_", "").lower(), "")
    return game and ATARI_PREFIX + game


def _register_users_environments() -> None:
    """Import the modules that LAMO_ENVIRONMENTS lists, with commas between; raises `MissingError`."""
    for module in filter(None, (part.strip() for part in os.environ.get("LAMO_ENVIRONMENTS", "").split(","))):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingError(f"LAMO_ENVIRONMENTS names {module}, which cannot be imported: {error}") from error


def _make(identifier: str, pictures: bool) -> Any:
    import gymnasium

    _register_users_environments()
    # Advice about newer versions goes to the log; the id was chosen on purpose.
    logging.getLogger("gymnasium").setLevel(logging.ERROR)
    # Not every environment takes a mode at all.
    mode = {"render_mode": "rgb_array"} if pictures and "rgb_array" in _render_modes(identifier) else {}
    try:
        if os.environ.get("MUJOCO_GL") and find_spec("mujoco") is not None:
            load_mujoco()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            environment = gymnasium.make(identifier, disable_env_checker=True, max_episode_steps=-1, **mode)
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise MissingError(f"{identifier} needs a package that is not installed: {_first_line(error)}") from error
    except gymnasium.error.Error as error:
        raise UsageError(f"Gymnasium cannot make {identifier}: {_first_line(error)}") from error
    except Exception as error:  # whatever a stranger's environment does while it is made
        raise UsageError(f"{identifier} could not be made: {_first_line(error)}") from error
    return environment


def _render_modes(identifier: str) -> list[str]:

    probe = _make(identifier, pictures=False)
    modes = list(probe.metadata.get("render_modes", []))
    probe.close()
    return modes


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _unfit(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name.removeprefix(PREFIX)} does not fit: {why}; lamo takes boxes of numbers as observations, and boxes or "
        "one choice as actions"
    )


def _counted_from_zero(environment: Any, actions: Any) -> Any:
    if actions.n > _MOST_CHOICES:
        raise UsageError(f"lamo takes at most {_MOST_CHOICES} choices, and this environment has {actions.n}")
    from gymnasium import spaces, wrappers

    return wrappers.TransformAction(
        environment, lambda action: actions.dtype.type(action + actions.start), spaces.Discrete(int(actions.n))
    )


def _stretched(environment: Any, actions: Any) -> Any:
    """Map [-1, 1] to the bounds of each action, and leave actions without bounds as they are."""
    from gymnasium import spaces, wrappers

    bounded = np.isfinite(actions.low) & np.isfinite(actions.high)
    low = np.where(bounded, actions.low, -1.0).astype(np.float64)
    high = np.where(bounded, actions.high, 1.0).astype(np.float64)

    def stretch(action: Any) -> Any:
        flat = np.asarray(action, np.float64).reshape(actions.shape)
        return (low + (flat + 1) / 2 * (high - low)).astype(actions.dtype)

    return wrappers.TransformAction(environment, stretch, spaces.Box(-1.0, 1.0, (low.size,), np.float64))
