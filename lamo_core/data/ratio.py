"""Small shares of a data set: whole episodes, the same ones for the same seed, each share inside every
larger one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import UsageError


def select_episodes(
    lengths: NDArray[np.int64],
    ratio: float,
    seed: int,
    kind: Literal["uniform", "length-weighted"] = "uniform",
) -> NDArray[np.int64]:
    """Return the sorted indices of a share `ratio` of the E episodes, at least one.

    The episodes are put in a random order that follows from `seed`, and the first ones are taken: that makes
    shares nested. `length-weighted` orders by Efraimidis and Spirakis' keys, so long episodes come first
    more often, as drawing with chances proportional to length (the official Atari code) does. Raises
    `UsageError`.
    """
    if not 0 < ratio <= 1:
        raise UsageError(f"the data ratio must be above 0 and at most 1, not {ratio:g} (1 % is 0.01)")
    if len(lengths) == 0:
        raise UsageError("there are no episodes to choose from")
    rng = np.random.default_rng([seed, 0x5EED])
    draws = rng.random(len(lengths))
    # log(u) / w is in the order of u ** (1 / w); with equal weights it is a uniform permutation.
    weights = np.asarray(lengths, np.float64) if kind == "length-weighted" else np.ones(len(lengths))
    order = np.argsort(-np.log(draws) / np.maximum(weights, 1.0), kind="stable")
    count = max(1, round(len(lengths) * ratio))
    return np.sort(order[:count]).astype(np.int64)
