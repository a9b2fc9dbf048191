"""Any other Gymnasium environment with numbers as observations: its record, and how it is made to fit.

A task `gym:CartPole-v1` is the environment with that id. Ids come from configs, untrusted checkpoints and replays,
so none of them may name a module to import, as Gymnasium's `module:Name-v0` would; modules that register environments
are named by the user alone, in LAMO_ENVIRONMENTS. Observations are flattened (`flattening`); bounded continuous actions
are stretched to [-1, 1] (`action_bounds`); choices count from 0.
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
from lamo_core.tasks.action_bounds import ActionBounds
from lamo_core.tasks.atari.atari import PREFIX as ATARI_PREFIX
from lamo_core.tasks.door import Door, blamed, fault, passes
from lamo_core.tasks.environment import RenderedEnv
from lamo_core.tasks.flattening import TAKEN, Part, UnflattenableError, described, flatten_one, parts_of, size_of
from lamo_core.tasks.known_packages import VARIABLE, named_modules, unregistered
from lamo_core.tasks.mujoco_library import load_mujoco
from lamo_core.tasks.rendering.gym import RenderedGym
from lamo_core.tasks.task import Simulation, Task
from lamo_core.tasks.vector_simulation import vector_batch

PREFIX = "gym:"
_LARGEST = 4_096
"""Most numbers in an observation: beyond it, it is a picture, which this is not made for."""
_MOST_CHOICES = 256


def _make_configured(config: TaskConfig) -> Any:
    return make_gym(config.name)


def _rendered(config: TaskConfig, task: Task, height: int, pretty: bool) -> RenderedEnv:
    return RenderedGym(config, task, make_gym(config.name, pictures=True), height=height, pretty=pretty)


_SIMULATION = Simulation(batch=vector_batch, rendered=_rendered, environment=_make_configured)


@lru_cache
def gym_task(name: str) -> Task:
    """Return the record of `gym:ID`; makes the environment once. Raises as `make_gym` does."""
    import gymnasium

    identifier = _identifier(name)
    plain = _make(identifier, pictures=False)
    parts, actions = _parts(name, plain.observation_space), plain.action_space
    _check_actions(name, actions)
    plain.close()
    discrete = hasattr(actions, "n")
    count = int(actions.n if discrete else np.prod(actions.shape))
    bounds = None if discrete else ActionBounds.of(actions.low, actions.high)
    return Task(
        name=name,
        title=identifier.rpartition(":")[2],
        observation="vector",
        observation_shape=(size_of(parts),),
        action_kind="discrete" if discrete else "continuous",
        actions=count,
        action_names=tuple(f"action {index}" for index in range(count)),
        random_score=math.nan,
        expert_score=math.nan,
        expert="nobody known",
        # What is made here has no limit of its own; this is the one that the environment is registered with.
        horizon=max(gymnasium.spec(identifier).max_episode_steps or 0, 0),
        first_action=int(actions.start) if discrete else 0,
        bounds=None if bounds == ActionBounds((-1.0,) * count, (1.0,) * count) else bounds,
        parts=parts,
        simulation=_SIMULATION,
    )


def make_gym(name: str, *, pictures: bool = False) -> Any:
    """Return the environment of task `name`, without a time limit, that takes and gives what `VectorBatch` does.

    With `pictures` it can be rendered as an array, where it has such a mode. Raises `UsageError`, `MissingError`,
    `EnvironmentFault`.
    """
    environment = _make(_identifier(name), pictures)
    actions = environment.action_space
    parts = _parts(name, environment.observation_space)
    _check_actions(name, actions)
    flat = _flattened(environment, parts)
    return Door(_counted_from_zero(flat, actions) if hasattr(actions, "n") else _stretched(flat, actions), name)


def _parts(name: str, observations: Any) -> tuple[Part, ...]:
    """Return what an observation is made of; raises `UsageError` for a space that is not taken."""
    try:
        parts = parts_of(described(observations), _identifier(name))
    except UnflattenableError as error:
        raise _unfit(name, f"it observes {error}") from error
    size = size_of(parts)
    if not 1 <= size <= _LARGEST:
        raise _unfit(name, f"it observes {size:,} numbers; {_LARGEST:,} are the most")
    return parts


def _check_actions(name: str, actions: Any) -> None:
    from gymnasium import spaces

    if isinstance(actions, spaces.Discrete):
        if actions.n > _MOST_CHOICES:
            raise _unfit(name, f"it takes one of {actions.n:,} actions; {_MOST_CHOICES} are the most")
    elif not isinstance(actions, spaces.Box) or not np.prod(actions.shape):
        raise _unfit(name, f"it takes a {type(actions).__name__}")
    elif not (actions.low <= actions.high).all():
        raise _unfit(name, "its actions have bounds that are none")


def _flattened(environment: Any, parts: tuple[Part, ...]) -> Any:
    from gymnasium import spaces, wrappers

    size = size_of(parts)
    space = environment.observation_space
    if isinstance(space, spaces.Box):
        return environment if space.shape == (size,) else wrappers.FlattenObservation(environment)
    flat = spaces.Box(-np.inf, np.inf, (size,), np.float64)
    return wrappers.TransformObservation(environment, lambda seen: flatten_one(parts, seen), flat)


def _identifier(name: str) -> str:
    identifier = name.removeprefix(PREFIX)
    if not identifier or identifier == "gym":
        raise UsageError("the task gym needs the id of an environment, such as --set task.id=CartPole-v1")
    module, separator, rest = identifier.partition(":")
    if separator:
        raise UsageError(
            f"lamo imports no module because an id names it: set {VARIABLE}={module} if you trust that module, "
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
    """Import the modules that the user names.

    Raises `MissingError`, and `EnvironmentFault` for whatever a module does beside being absent.
    """
    for module in named_modules():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingError(f"{VARIABLE} names {module}, which cannot be imported: {error}") from error
        except BaseException as error:
            if passes(error):
                raise
            raise fault(module, f"while it was imported, as {VARIABLE} wants", error) from error


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
            return gymnasium.make(identifier, disable_env_checker=True, max_episode_steps=-1, **mode)
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise MissingError(f"{identifier} needs a package that is not installed: {_first_line(error)}") from error
    except gymnasium.error.UnregisteredEnv as error:
        raise unregistered(identifier) or _not_made(identifier, error) from error
    except gymnasium.error.Error as error:
        raise _not_made(identifier, error) from error
    except BaseException as error:  # whatever a stranger's environment does while it is made
        if passes(error):
            raise
        raise fault(identifier, "while it was made", error) from error


def _not_made(identifier: str, error: Exception) -> UsageError:
    return UsageError(f"Gymnasium cannot make {identifier}: {_first_line(error)}")


def _render_modes(identifier: str) -> list[str]:
    probe = _make(identifier, pictures=False)
    with blamed(identifier, "when it was asked what pictures it has"):
        modes = list(probe.metadata.get("render_modes", []))
        probe.close()
    return modes


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _unfit(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name.removeprefix(PREFIX)} does not fit: {why}; lamo takes {TAKEN} as observations, and Box or Discrete as "
        "actions"
    )


def _counted_from_zero(environment: Any, actions: Any) -> Any:
    from gymnasium import spaces, wrappers

    return wrappers.TransformAction(
        environment, lambda action: actions.dtype.type(action + actions.start), spaces.Discrete(int(actions.n))
    )


def _stretched(environment: Any, actions: Any) -> Any:
    """Map [-1, 1] to the bounds of each action, and leave actions without bounds as they are."""
    from gymnasium import spaces, wrappers

    bounds = ActionBounds.of(actions.low, actions.high)

    def stretch(action: Any) -> Any:
        return bounds.from_unit(np.asarray(action, np.float64).ravel()).reshape(actions.shape).astype(actions.dtype)

    return wrappers.TransformAction(environment, stretch, spaces.Box(-1.0, 1.0, (len(bounds.low),), np.float64))
