"""Small shares of a data set: whole episodes, the same ones for the same seed, each share inside every
larger one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import UsageError

Kind = Literal["uniform", "length-weighted"]
Rounding = Literal["nearest", "down"]


@dataclass(frozen=True)
class Selection:
    """Which episodes of a set are wanted: a share of them, or some that the share leaves out."""

    ratio: float
    seed: int
    kind: Kind = "uniform"
    unseen: int = 0
    """At most so many of those that are left out instead, the first ones that a larger share would add."""
    rounding: Rounding = "nearest"

    def of(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sorted indices of the wanted episodes (E',), none where the share leaves none out.

        Raises `UsageError`.
        """
        order = _order(lengths, self.ratio, self.seed, self.kind)
        count = episode_count(len(lengths), self.ratio, self.rounding)
        chosen = order[count : count + self.unseen] if self.unseen else order[:count]
        return np.sort(chosen).astype(np.int64)


def select_episodes(
    lengths: NDArray[np.int64],
    ratio: float,
    seed: int,
    kind: Kind = "uniform",
    rounding: Rounding = "nearest",
) -> NDArray[np.int64]:
    """Return the sorted indices of a share `ratio` of the E episodes, at least one.

    The episodes are put in a random order that follows from `seed`, and the first ones are taken: that makes
    shares nested. `length-weighted` orders by Efraimidis and Spirakis' keys, so long episodes come first
    more often, as drawing with chances proportional to length (the official Atari code) does. Raises
    `UsageError`.
    """
    return Selection(ratio, seed, kind, rounding=rounding).of(lengths)


def episode_count(episodes: int, ratio: float, rounding: Rounding = "nearest") -> int:
    """Return how many of `episodes` a share takes: the nearest number, or `down` as LaMo's code does, one at least."""
    wanted = episodes * ratio
    return max(1, int(wanted) if rounding == "down" else round(wanted))


def _order(lengths: NDArray[np.int64], ratio: float, seed: int, kind: Kind) -> NDArray[np.intp]:
    """Return all episodes in the order in which larger shares take them."""
    if not 0 < ratio <= 1:
        raise UsageError(f"the data ratio must be above 0 and at most 1, not {ratio:g} (1 % is 0.01)")
    if len(lengths) == 0:
        raise UsageError("there are no episodes to choose from")
    rng = np.random.default_rng([seed, 0x5EED])
    draws = rng.random(len(lengths))
    # log(u) / w is in the order of u ** (1 / w); with equal weights it is a uniform permutation.
    weights = np.asarray(lengths, np.float64) if kind == "length-weighted" else np.ones(len(lengths))
    return np.argsort(-np.log(draws) / np.maximum(weights, 1.0), kind="stable")
