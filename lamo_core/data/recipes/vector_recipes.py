"""How the bundled sets with vector observations are collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.collect.recorded_vectors import VectorEpisode
from lamo_core.data.recipes.collect_locomotion import BEHAVIOURS, LocomotionPlayer
from lamo_core.data.recipes.collect_reacher2d import Reacher2dPlayer
from lamo_core.errors import UsageError

_ZOO = "actors of DLR-RM/rl-trained-agents (MIT)"
_OWN = "controllers of this project; nothing is learned"


class Player(Protocol):
    """Plays episodes by seed."""

    def play(self, seed: int) -> VectorEpisode:
        """Return the episode of `seed`, the same one every time."""

    def keeps(self, episode: VectorEpisode) -> bool:
        """Return whether the set takes the episode."""


@dataclass(frozen=True)
class VectorRecipe:
    """How one set is collected."""

    name: str
    task: str
    first_seed: int
    source: str
    """Who acts, for the card."""
    how: str
    """How the episodes differ, and which are kept, for the card."""
    player: Callable[[Path], Player]
    """Called with the folder of the policies' weights."""
    needs_policies: bool = False
    """Whether weights are read from that folder."""
    transitions: int = 0
    """Whole episodes are played until there are as many; 0 counts episodes."""
    episodes: int = 0
    resolution: Callable[[], NDArray[np.float64]] | None = None
    """Observations are rounded to multiples of these powers of two (O,); None keeps them as they were played."""


def _locomotion(body: str, policies: Path) -> Player:
    return LocomotionPlayer(body, BEHAVIOURS[body], policies)


def _reacher2d(mixed: bool) -> Player:
    return Reacher2dPlayer(mixed)


def _kitchen(kind: str) -> Player:
    from lamo_core.data.recipes.collect_kitchen import KitchenPlayer  # which needs MuJoCo

    return KitchenPlayer(kind)


def _kitchen_resolution() -> NDArray[np.float64]:
    from lamo_core.data.recipes.collect_kitchen import observation_resolution

    return observation_resolution()


_NOISY = "Gaussian noise on the actions, its size drawn per episode; v4 environments"
_GAINS = "inverse kinematics with gains and torque noise drawn per episode"
_HAND = "detours, speeds and aims vary; pushes of up to three steps throw it off its way and it corrects itself"
_ROUNDED = "observations rounded by at most a quarter of the environment's own sensor noise"

RECIPES = {
    recipe.name: recipe
    for recipe in (
        VectorRecipe(
            "hopper-medium",
            "mujoco-hopper",
            6_000_000,
            _ZOO,
            _NOISY,
            lambda policies: _locomotion("hopper", policies),
            needs_policies=True,
            transitions=100_000,
        ),
        VectorRecipe(
            "halfcheetah-medium",
            "mujoco-halfcheetah",
            7_000_000,
            _ZOO,
            _NOISY,
            lambda policies: _locomotion("halfcheetah", policies),
            needs_policies=True,
            transitions=100_000,
        ),
        VectorRecipe(
            "walker2d-medium",
            "mujoco-walker2d",
            8_000_000,
            _ZOO,
            _NOISY,
            lambda policies: _locomotion("walker2d", policies),
            needs_policies=True,
            transitions=100_000,
        ),
        VectorRecipe(
            "reacher2d-medium",
            "mujoco-reacher2d",
            9_000_000,
            _OWN,
            f"{_GAINS}; kept if the return is above 20",
            lambda _: _reacher2d(mixed=False),
            episodes=50,
        ),
        VectorRecipe(
            "reacher2d-mixed",
            "mujoco-reacher2d",
            9_500_000,
            _OWN,
            f"{_GAINS}, wider than for medium; failures are kept",
            lambda _: _reacher2d(mixed=True),
            episodes=200,
        ),
        VectorRecipe(
            "kitchen-complete",
            "kitchen-complete",
            4_000_000,
            _OWN,
            f"a scripted hand does all four subtasks in their order; {_HAND}; kept if it solves four; {_ROUNDED}",
            lambda _: _kitchen("complete"),
            episodes=20,
            resolution=_kitchen_resolution,
        ),
        VectorRecipe(
            "kitchen-partial",
            "kitchen-partial",
            5_000_000,
            _OWN,
            f"a scripted hand does one to four subtasks in any order and gives up some; {_HAND}; all kept; {_ROUNDED}",
            lambda _: _kitchen("partial"),
            episodes=600,
            resolution=_kitchen_resolution,
        ),
    )
}


def get_recipe(name: str) -> VectorRecipe:
    """Return how the set `name` is collected; raises `UsageError`."""
    if name not in RECIPES:
        raise UsageError(f"there is no recipe to collect {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]
