"""Packages that register Gymnasium environments when they are imported: which ids are theirs, and how they are named.

lamo imports no module because an id asks for it; this table only tells the user what to name in LAMO_ENVIRONMENTS.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import NamedTuple

from lamo_core.errors import LamoError, MissingError, UsageError
from lamo_core.install_hint import package_hint

VARIABLE = "LAMO_ENVIRONMENTS"


class EnvironmentPackage(NamedTuple):
    """A package and the ids that it registers."""

    pattern: str
    module: str
    package: str
    """Its name for pip."""


PACKAGES = (
    EnvironmentPackage(
        r"(AdroitHand|AntMaze|PointMaze|Fetch(Pick|Push|Reach|Slide)|Hand(Reach|Manipulate)|FrankaKitchen).*",
        "gymnasium_robotics",
        "gymnasium-robotics",
    ),
    EnvironmentPackage(r"(MiniGrid|BabyAI)-.*", "minigrid", "minigrid"),
    EnvironmentPackage(r"MiniWorld-.*", "miniworld", "miniworld"),
    EnvironmentPackage(
        r"(highway|merge|roundabout|parking|intersection|racetrack|exit|lane-keeping|two-way|u-turn)(-.*)?-v\d+",
        "highway_env",
        "highway-env",
    ),
    EnvironmentPackage(r"Panda(Reach|Slide|Push|PickAndPlace|Stack|Flip).*", "panda_gym", "panda-gym"),
    EnvironmentPackage(r"Meta-World/.*", "metaworld", "metaworld"),
    EnvironmentPackage(r"PyFlyt/.*", "PyFlyt.gym_envs", "pyflyt"),
    EnvironmentPackage(r"gym_pusht/.*", "gym_pusht", "gym-pusht"),
    EnvironmentPackage(r"gym_aloha/.*", "gym_aloha", "gym-aloha"),
)


def package_of(identifier: str) -> EnvironmentPackage | None:
    """Return the package that registers the environment with this id, where one is known."""
    return next((one for one in PACKAGES if re.fullmatch(one.pattern, identifier)), None)


def named_modules() -> list[str]:
    """Return the modules that the user names, with commas between, as those that register environments."""
    return [part for part in (part.strip() for part in os.environ.get(VARIABLE, "").split(",")) if part]


def unregistered(identifier: str) -> LamoError | None:
    """Return the error for an id that Gymnasium does not know and a known package registers, unless it is named."""
    found = package_of(identifier)
    named = named_modules()
    if found is None or found.module in named:
        return None
    setting = f"{VARIABLE}={','.join([*named, found.module])}"
    if find_spec(found.module.partition(".")[0]) is None:
        return MissingError(
            f"{identifier} is an environment of {found.package}, which is not installed; install it with "
            f"{package_hint(found.package)}, and set {setting} so that it is registered"
        )
    return UsageError(f"{identifier} is an environment of {found.package}; set {setting} so that it is registered")
