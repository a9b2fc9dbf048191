"""One unit for the kitchen's rewards, whether they come from the environment or from published data.

The environment pays 1 for a subtask once, when it is solved first. D4RL's data (and Minari's copy of them) pay at every
step as many as are solved then, so that a return of the data is in the hundreds, where the environment pays at most 4.
The published LaMo code trains on the one and asks for the other; `every-step` keeps that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.episodes import EpisodeStore

KitchenRewards = Literal["once", "every-step"]
SOLVED_PER_STEP = "subtasks solved, at every step"
"""What a card's `reward_unit` says of data whose rewards count what is solved."""


def in_unit(store: EpisodeStore, wanted: KitchenRewards) -> EpisodeStore:
    """Return kitchen episodes with rewards in the wanted unit; their card says which one they are in."""
    given = unit_of(store.card)
    if given == wanted:
        return store
    convert = first_solved if wanted == "once" else counted
    return replace(store, rewards=convert(store.rewards, store.lengths))


def unit_of(card: Mapping[str, Any]) -> KitchenRewards:
    """Return the unit of a set's rewards by its card."""
    return "every-step" if card.get("reward_unit") == SOLVED_PER_STEP else "once"


def first_solved(rewards: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Turn counts of solved subtasks (N,) into 1 for each, at the step at which that many are solved first.

    A subtask that comes undone and is solved again is not paid again.
    """
    return _per_episode(rewards, lengths, lambda counts: np.diff(np.maximum.accumulate(counts), prepend=0))


def counted(rewards: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Turn rewards that are paid once (N,) into the number of subtasks that have been solved, at every step."""
    return _per_episode(rewards, lengths, np.cumsum)


def _per_episode(rewards: NDArray[np.float32], lengths: NDArray[np.int64], convert: Any) -> NDArray[np.float32]:
    parts = np.split(rewards, np.cumsum(lengths)[:-1])
    return np.concatenate([convert(part) for part in parts]).astype(np.float32)
