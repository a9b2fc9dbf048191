"""The returns-to-go that a policy learns from, beside those that it is asked for: does the one lie within the other?

Legend: E episodes, N steps in all, T steps of one episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.episodes import EpisodeStore, RewardKind

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True)
class AskedReturn:
    """One return target."""

    target: float
    """In the unit of the rewards."""
    seen: float
    """What the policy reads at an episode's first decision."""
    as_much: float
    """Share of the data's decisions with at least as much to go."""
    decisions_left: float
    """Median number of decisions that are left in an episode of the data once no more than that is to go; 0 where
    there is more until the end."""


@dataclass(frozen=True)
class SeenReturns:
    """What the data show and what is asked for, all in the unit that the policy reads."""

    scale: float
    """Returns are divided by this."""
    firsts: tuple[float, ...]
    """`QUANTILES` over the first decisions of the episodes."""
    all: tuple[float, ...]
    """`QUANTILES` over all decisions."""
    median_length: float
    """Of the episodes."""
    asked: tuple[AskedReturn, ...]


def return_scale(store: EpisodeStore, rewards: RewardKind, configured: float) -> float:
    """Return what returns-to-go are divided by: `configured`, or at 0 the largest return of the data, at least 1."""
    return configured or max(float(np.abs(store.returns(rewards)).max()), 1.0)


def seen_returns(
    store: EpisodeStore, returns_to_go_N: NDArray[np.float32], scale: float, targets: Sequence[float]
) -> SeenReturns:
    """Compare the returns-to-go (N,) of a store, before they are divided by `scale`, with return targets."""
    return SeenReturns(
        scale=scale,
        firsts=_quantiles(returns_to_go_N[store.offsets[:-1]] / scale),
        all=_quantiles(returns_to_go_N / scale),
        median_length=float(np.median(store.lengths)),
        asked=tuple(_asked(store, returns_to_go_N, scale, target) for target in targets),
    )


def _asked(store: EpisodeStore, returns_to_go_N: NDArray[np.float32], scale: float, target: float) -> AskedReturn:
    left = [_decisions_left(part, target) for part in np.split(returns_to_go_N, store.offsets[1:-1])]
    as_much = float((returns_to_go_N >= target).mean())
    return AskedReturn(target, target / scale, as_much, float(np.median(left)))


def _decisions_left(returns_to_go_T: NDArray[np.float32], target: float) -> int:
    low = np.flatnonzero(returns_to_go_T <= target)
    return len(returns_to_go_T) - int(low[0]) if len(low) else 0


def _quantiles(values: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, QUANTILES))
