"""Steps of the training data that are held out, to choose when to stop: never of the test environment.

With five episodes or more one of them is held out, drawn by the seed. Fewer are too few to lose one, so the last fifth
of each is held out instead, and all are trained on anew for as many steps as that chose. Returns-to-go are those of the
whole episode either way.

Legend: E episodes, N steps of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_EPISODES = 5
"""From so many episodes on a whole one is held out."""
_TAIL = 0.2
"""Share of each episode that is held out where there are fewer."""


@dataclass(frozen=True)
class Segments:
    """Which steps of every episode are meant: from `begins` (E,) up to `ends` (E,), none where they are equal."""

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each (E,)."""
        return self.ends - self.begins

    def of_steps(self, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for every step of the whole episodes, of `lengths` (E,), whether it is meant (N,)."""
        times_N = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return (times_N >= np.repeat(self.begins, lengths)) & (times_N < np.repeat(self.ends, lengths))


def whole(lengths: NDArray[np.int64]) -> Segments:
    """Return all steps of all episodes (E,)."""
    return Segments(np.zeros_like(lengths), lengths)


def split(lengths: NDArray[np.int64], episodes: NDArray[np.int64], seed: int) -> tuple[Segments, Segments]:
    """Return what is trained on and what is held out of the `episodes` (indices) of a set with `lengths` (E,).

    Of an episode of a single step nothing is held out.
    """
    chosen = np.isin(np.arange(len(lengths)), episodes)
    if len(episodes) >= LEAST_EPISODES:
        left_out = np.random.default_rng([seed, 0x48454C44]).choice(np.sort(episodes))
        cuts = np.where(np.arange(len(lengths)) == left_out, 0, lengths)
    else:
        cuts = np.minimum(np.ceil(lengths * (1 - _TAIL)).astype(np.int64), np.maximum(lengths - 1, 1))
    cuts, ends = np.where(chosen, cuts, 0), np.where(chosen, lengths, 0)
    return Segments(np.zeros_like(lengths), cuts), Segments(cuts, ends)
