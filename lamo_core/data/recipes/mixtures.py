"""Which behaviour policies play each bundled set, how often and with how much noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lamo_core.data.recipes.behaviour import BehaviourPolicy, MemoryPolicy, RecurrentPolicy, ScreenPolicy, Weights
from lamo_core.errors import UsageError


@dataclass(frozen=True)
class Share:
    """One behaviour policy of a mixture: its part of the episodes and its noise."""

    name: str
    part: float
    kind: Literal["screen", "recurrent", "memory"]
    file: str
    prefix: str = ""
    greedy: bool = False
    """Takes the best action; otherwise draws from the policy's distribution."""
    noise: tuple[float, float] = (0.0, 0.0)
    """Range of the chance of a uniformly random action, drawn once per episode."""

    def load(self, folder: Path, slots: int) -> BehaviourPolicy:
        """Return the policy with the weights in `folder`, for `slots` games at once."""
        weights = Weights(folder / self.file, self.prefix)
        if self.kind == "screen":
            return ScreenPolicy(weights, slots)
        return RecurrentPolicy(weights, slots) if self.kind == "recurrent" else MemoryPolicy(weights)


@dataclass(frozen=True)
class Mixture:
    """How one set is collected."""

    name: str
    game: str
    first_seed: int
    shares: tuple[Share, ...]
    sticky_actions: float = 0.25
    noop_max: int = 7
    max_steps: int = 27_000


@dataclass(frozen=True)
class EpisodePlan:
    """What is decided about an episode before it starts; follows from its seed alone."""

    seed: int
    noops: int
    share: int
    noise: float
    rng: np.random.Generator


_ACTORS = "atari_policies.npz"

MIXTURES = {
    "breakout-medium": Mixture(
        "breakout-medium",
        "breakout",
        1_000_000,
        (
            Share("ff-greedy", 0.55, "screen", _ACTORS, "breakout_ff/", greedy=True, noise=(0.01, 0.05)),
            Share("ff-sampled", 0.15, "screen", _ACTORS, "breakout_ff/"),
            Share("ff-noisy", 0.15, "screen", _ACTORS, "breakout_ff/", greedy=True, noise=(0.1, 0.4)),
            Share("gru80", 0.1, "recurrent", _ACTORS, "breakout_gru80/"),
            Share("gru40", 0.05, "recurrent", _ACTORS, "breakout_gru40/"),
        ),
    ),
    "qbert-medium": Mixture(
        "qbert-medium",
        "qbert",
        2_000_000,
        (
            Share("ram-2.9M", 0.6, "memory", "qbert_ram_final.npz"),
            Share("ram-2.9M-noisy", 0.15, "memory", "qbert_ram_final.npz", noise=(0.05, 0.25)),
            Share("ram-2.0M", 0.1, "memory", "qbert_ram_2.0M.npz"),
            Share("ram-1.0M", 0.1, "memory", "qbert_ram_1.0M.npz"),
            Share("ram-0.5M", 0.05, "memory", "qbert_ram_0.5M.npz"),
        ),
    ),
    "pong-medium": Mixture(
        "pong-medium",
        "pong",
        3_000_000,
        (
            Share("gru80", 0.45, "recurrent", _ACTORS, "pong_gru80/", noise=(0.0, 0.1)),
            Share("gru40", 0.35, "recurrent", _ACTORS, "pong_gru40/", noise=(0.0, 0.1)),
            Share("gru80-noisy", 0.1, "recurrent", _ACTORS, "pong_gru80/", noise=(0.1, 0.4)),
            Share("gru40-noisy", 0.1, "recurrent", _ACTORS, "pong_gru40/", noise=(0.1, 0.4)),
        ),
    ),
}


def get_mixture(name: str) -> Mixture:
    """Return how the set `name` is collected; raises `UsageError`."""
    if name not in MIXTURES:
        raise UsageError(f"there is no recipe to collect {name!r}; known: {', '.join(MIXTURES)}")
    return MIXTURES[name]


def plan_episode(mixture: Mixture, index: int) -> EpisodePlan:
    """Draw policy, noise and no-op start of the set's episode `index` from its seed."""
    seed = mixture.first_seed + index
    rng = np.random.default_rng(seed)
    noops = int(rng.integers(0, mixture.noop_max + 1))
    share = int(rng.choice(len(mixture.shares), p=[share.part for share in mixture.shares]))
    return EpisodePlan(seed, noops, share, float(rng.uniform(*mixture.shares[share].noise)), rng)
