"""Locomotion episodes by mixtures of actors with Gaussian noise on their actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.data.actors import Actor
from lamo_core.data.recorded_vectors import EpisodeBuilder, VectorEpisode
from lamo_core.tasks.locomotion import HORIZON, make_locomotion

WEIGHTS = "mujoco_policies.npz"


@dataclass(frozen=True)
class ActorShare:
    """One actor of a mixture: its part of the episodes and how it acts."""

    actor: str
    part: float
    sampled: bool = False
    """Draws from the actor's distribution; otherwise takes its mode."""
    noise: tuple[float, float] = (0.0, 0.0)
    """Range of the standard deviation of added action noise, drawn once per episode."""


MIXTURES = {
    "hopper": (
        ActorShare("sac", 0.75, sampled=True, noise=(0.02, 0.1)),
        ActorShare("ppo", 0.15, noise=(0.2, 0.2)),
        ActorShare("tqc", 0.1, sampled=True, noise=(0.1, 0.1)),
    ),
    "halfcheetah": (
        ActorShare("sac", 0.9, sampled=True, noise=(0.37, 0.42)),
        ActorShare("trpo_ucb", 0.1, noise=(0.0, 0.05)),
    ),
    "walker2d": (ActorShare("tqc", 1.0, sampled=True, noise=(0.0, 0.2)),),
}
"""Chosen so that the returns spread as those of D4RL's medium sets."""


class LocomotionPlayer:
    """Plays one episode of a mixture per seed, on the v4 environment of `body`."""

    def __init__(self, body: str, shares: tuple[ActorShare, ...], policies: Path) -> None:
        self._shares = shares
        self._actors = [Actor(policies / WEIGHTS, f"{body}.{share.actor}") for share in shares]
        self._environment = make_locomotion(TaskConfig(name=f"mujoco-{body}"))

    def play(self, seed: int) -> VectorEpisode:
        """Return the episode of `seed`: actor and noise are drawn first, then every action in turn."""
        rng = np.random.default_rng([seed, 1])
        index = int(rng.choice(len(self._shares), p=[share.part for share in self._shares]))
        share, actor = self._shares[index], self._actors[index]
        noise = float(rng.uniform(*share.noise))
        observation, _ = self._environment.reset(seed=seed)
        builder = EpisodeBuilder(seed, f"{share.actor}{' sampled' if share.sampled else ''}", noise, observation)
        terminated = False
        while not terminated and len(builder) < HORIZON:
            exact = actor.act(observation, rng if share.sampled else None)
            exact = exact + noise * rng.standard_normal(len(exact))
            # What is stored is what is played: the action is rounded before it acts.
            action = np.clip(exact, -1.0, 1.0).astype(np.float32)
            observation, reward, terminated, _, _ = self._environment.step(action.astype(np.float64))
            builder.add(action, observation, float(reward))
        return builder.finish(bool(terminated))

    def keeps(self, episode: VectorEpisode) -> bool:
        """Return True: every episode counts."""
        return True
