"""Locomotion episodes by an actor with Gaussian noise on its actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.data.collect.recorded_vectors import EpisodeBuilder, VectorEpisode
from lamo_core.data.recipes.actors import Actor
from lamo_core.tasks.locomotion import HORIZON, make_locomotion

WEIGHTS = "mujoco_policies.npz"


@dataclass(frozen=True)
class Behaviour:
    """One actor and how it acts, drawing every action from its distribution."""

    actor: str
    noise: tuple[float, float]
    """Range of the standard deviation of added action noise, drawn once per episode."""


BEHAVIOURS = {
    "hopper": Behaviour("sac", noise=(0.02, 0.1)),
    "halfcheetah": Behaviour("sac", noise=(0.37, 0.42)),
    "walker2d": Behaviour("tqc", noise=(0.0, 0.2)),
}
"""One actor per set, as D4RL's medium sets have, with noise that spreads the returns as theirs.

Several gaits in one set would be averaged by whatever is trained on squared errors: on three actors' mixture of Hopper
policies fell within 50 steps, where all gaits begin alike.
"""


class LocomotionPlayer:
    """Plays one episode of an actor per seed, on the v4 environment of `body`."""

    def __init__(self, body: str, behaviour: Behaviour, policies: Path) -> None:
        self._behaviour = behaviour
        self._actor = Actor(policies / WEIGHTS, f"{body}.{behaviour.actor}")
        self._environment = make_locomotion(TaskConfig(name=f"mujoco-{body}"))

    def play(self, seed: int) -> VectorEpisode:
        """Return the episode of `seed`: its noise is drawn first, then every action in turn."""
        rng = np.random.default_rng([seed, 1])
        noise = float(rng.uniform(*self._behaviour.noise))
        observation, _ = self._environment.reset(seed=seed)
        builder = EpisodeBuilder(seed, f"{self._behaviour.actor} sampled", noise, observation)
        terminated = False
        while not terminated and len(builder) < HORIZON:
            exact = self._actor.act(observation, rng)
            exact = exact + noise * rng.standard_normal(len(exact))
            # What is stored is what is played: the action is rounded before it acts.
            action = np.clip(exact, -1.0, 1.0).astype(np.float32)
            observation, reward, terminated, _, _ = self._environment.step(action.astype(np.float64))
            builder.add(action, observation, float(reward))
        return builder.finish(bool(terminated))

    def keeps(self, episode: VectorEpisode) -> bool:
        """Return True: every episode counts."""
        return True
