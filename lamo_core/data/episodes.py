"""Whole episodes in columns, with T + 1 observations each and both kinds of end kept apart.

Legend: E episodes of T_e steps, N = sum of T_e steps in all, R = N + E rows of observations.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
RewardKind = Literal["raw", "clipped"]


class FrameColumn(Protocol):
    """Rows of 84x84 grey frames, wherever they lie."""

    def __len__(self) -> int:
        """Return the number of rows R."""

    def gather(self, indices: NDArray[np.int64]) -> Frames:
        """Return the frames (…, 84, 84) uint8 of row `indices` (…); index -1 gives an empty frame."""


class FrameArray:
    """Frames unpacked in memory: one array of R + 1 frames whose last is empty, so that index -1 is empty too."""

    def __init__(self, frames: Frames) -> None:
        if frames[-1].any():
            raise ValueError("the last frame of a FrameArray must be empty")
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames) - 1

    def gather(self, indices: NDArray[np.int64]) -> Frames:
        """Return the frames (…, 84, 84) of row `indices` (…); index -1 gives an empty frame."""
        return self._frames[indices]


@dataclass(frozen=True)
class EpisodeStore:
    """Episodes of one task. The observation of step t of episode e is row `offsets[e] + e + t`."""

    name: str
    observations: Any
    """A `FrameColumn`, or float32 (R, O): T + 1 observations per episode."""
    actions: NDArray[Any]
    """(N,) uint8, or (N, A) float32."""
    rewards: NDArray[np.float32]
    """(N,) raw rewards."""
    lengths: NDArray[np.int64]
    """(E,) steps T_e."""
    terminated: NDArray[np.bool_]
    """(E,) whether the task itself ended the episode."""
    truncated: NDArray[np.bool_]
    """(E,) whether a time limit cut the episode."""
    card: dict[str, Any] = field(default_factory=dict)
    """Where the data come from."""

    def __post_init__(self) -> None:
        steps = int(self.lengths.sum())
        if len(self.actions) != steps or len(self.rewards) != steps:
            raise ValueError(f"{steps} steps need as many actions and rewards")
        if len(self.observations) != steps + len(self.lengths):
            raise ValueError("every episode needs one observation more than it has steps")

    @property
    def transitions(self) -> int:
        """Number of steps N."""
        return len(self.rewards)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First step of each episode, and N at the end: (E + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    def rewards_of(self, kind: RewardKind = "raw") -> NDArray[np.float32]:
        """Return the rewards (N,): raw, or `clipped` to their sign, which is all that DQN-Replay keeps."""
        return self.rewards if kind == "raw" else np.sign(self.rewards)

    def returns(self, kind: RewardKind = "raw") -> NDArray[np.float64]:
        """Return the undiscounted return of each episode (E,)."""
        totals = np.concatenate([[0.0], np.cumsum(self.rewards_of(kind), dtype=np.float64)])
        returns: NDArray[np.float64] = totals[self.offsets[1:]] - totals[self.offsets[:-1]]
        return returns

    def digest(self) -> str:
        """Return a hash of the episodes' lengths and actions, 16 characters: equal for the same choice of episodes."""
        parts = (self.lengths.astype("<i8"), self.actions.astype(self.actions.dtype.newbyteorder("<")))
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()[:16]
