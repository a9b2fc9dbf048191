"""N-gram language models on token ids: the yardsticks beside a network's perplexity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import UsageError

Ids = NDArray[np.int64]
Probabilities = NDArray[np.float64]


class Unigram:
    """Each token by its frequency, every count raised by one."""

    def __init__(self, ids: Ids, vocabulary: int) -> None:
        counts = np.bincount(ids, minlength=vocabulary) + 1.0
        self._probabilities = counts / counts.sum()

    def nats(self, ids: Ids) -> float:
        """Return the total negative log-likelihood of a stream of tokens."""
        return float(-np.log(self._probabilities[ids]).sum())


class KneserNey:
    """Interpolated Kneser-Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1999), one discount per order.

    The highest order counts occurrences, lower orders count in how many contexts a token was seen; the
    lowest is mixed with the uniform distribution. `start` stands before the first token.
    """

    def __init__(self, ids: Ids, vocabulary: int, order: int, start: int) -> None:
        if vocabulary**order >= 2**63:
            raise UsageError(f"{order}-grams of {vocabulary} tokens do not fit 64 bits; choose a lower order")
        self._vocabulary, self._order, self._start = vocabulary, order, start
        keys, counts = np.unique(self._keys(ids, order), return_counts=True)
        self._levels = [_Level(keys, counts, vocabulary)]
        for length in range(order - 1, 0, -1):
            # the distinct longer n-grams, without their first token: each is one context
            keys, counts = np.unique(keys % vocabulary**length, return_counts=True)
            self._levels.append(_Level(keys, counts, vocabulary))

    def nats(self, ids: Ids) -> float:
        """Return the total negative log-likelihood of a stream of tokens."""
        return float(-np.log(self.probabilities(ids)).sum())

    def probabilities(self, ids: Ids) -> Probabilities:
        """Return the probability of each token after those before it: (N,) to (N,)."""
        mixed = np.full(len(ids), 1.0 / self._vocabulary)
        for length, level in zip(range(1, self._order + 1), reversed(self._levels), strict=True):
            mixed = level.mix(self._keys(ids, length), mixed)
        return mixed

    def _keys(self, ids: Ids, length: int) -> Ids:
        """Number the n-gram that ends at each token, its last token in the lowest digit."""
        padded = np.concatenate([np.full(length - 1, self._start, dtype=np.int64), ids.astype(np.int64)])
        keys = np.zeros(len(ids), dtype=np.int64)
        for place in range(length):
            keys = keys * self._vocabulary + padded[place : place + len(ids)]
        return keys


class _Level:
    """One order: discounted counts of its n-grams, and totals of their contexts."""

    def __init__(self, keys: Ids, counts: Ids, vocabulary: int) -> None:
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        self._discount = once / (once + 2.0 * twice) if once and twice else 0.5
        self._keys, self._counts, self._vocabulary = keys, counts, vocabulary
        self._contexts, first, self._kinds = np.unique(keys // vocabulary, return_index=True, return_counts=True)
        self._totals = np.add.reduceat(counts, first)

    def mix(self, keys: Ids, lower: Probabilities) -> Probabilities:
        """Return this order's probabilities; tokens in unknown contexts keep the lower order's."""
        counts = _look_up(self._keys, self._counts, keys)
        totals = _look_up(self._contexts, self._totals, keys // self._vocabulary)
        kinds = _look_up(self._contexts, self._kinds, keys // self._vocabulary)
        seen = np.maximum(totals, 1)
        mixed = (np.maximum(counts - self._discount, 0.0) + self._discount * kinds * lower) / seen
        return np.where(totals > 0, mixed, lower)


def _look_up(keys: Ids, values: Ids, wanted: Ids) -> Ids:
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Ids = np.where(keys[places] == wanted, values[places], 0)
    return found
