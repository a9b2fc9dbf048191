"""Random single transitions from an `EpisodeStore`, for methods without memory.

Legend: B transitions, N steps of the store, E episodes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamo_core.data.episodes import EpisodeStore, RewardKind
from lamo_core.data.held_out import Segments
from lamo_core.data.windows import STACK, shift_frames
from lamo_core.untrusted.parsing import parse_json

Filter = Literal["none", "top", "split"]
RewardScale = Literal["raw", "sign", "range"]

_RANGE = 1_000.0
"""What the returns of the data span under `range` (IQL's code for locomotion)."""
_LEAST_SPAN = 0.5
"""Share of the largest return that they are taken to span at least; D4RL's sets for locomotion span more."""


@dataclass(frozen=True)
class TransitionBatch:
    """B transitions, on the CPU. A step that a time limit cut has a next observation like every other one."""

    observations: Tensor
    """uint8 (B, 4, 84, 84) stacks, oldest frame first, or float32 (B, O)."""
    actions: Tensor
    """int64 (B,), or float32 (B, A)."""
    rewards: Tensor
    """float32 (B,), scaled as the method wants them."""
    next_observations: Tensor
    terminated: Tensor
    """float32 (B,): 1 where the task itself ended the episode, so that nothing follows."""
    shifts: Tensor | None = None
    """int64 (B, 2): pixels down and right at which frames are read; None when they are not moved."""

    def to(self, device: torch.device) -> TransitionBatch:
        """Return the batch on a device."""
        shifts = None if self.shifts is None else self.shifts.to(device)
        return TransitionBatch(
            observations=self.observations.to(device, non_blocking=True),
            actions=self.actions.to(device, non_blocking=True),
            rewards=self.rewards.to(device, non_blocking=True),
            next_observations=self.next_observations.to(device, non_blocking=True),
            terminated=self.terminated.to(device, non_blocking=True),
            shifts=shifts,
        )


class TransitionSampler:
    """Draws transitions uniformly from all steps of the chosen episodes (E',)."""

    def __init__(
        self,
        store: EpisodeStore,
        *,
        rewards_N: NDArray[np.float32],
        episodes: NDArray[np.int64],
        frame_shift: int,
        generator: np.random.Generator,
        segments: Segments | None = None,
    ) -> None:
        """Of the chosen episodes the steps of their `segments` alone; None all of them."""
        self._store, self._rewards_N, self._frame_shift = store, rewards_N, frame_shift
        self._generator = generator
        self._has_frames = not isinstance(store.observations, np.ndarray)
        self._episodes_N = np.repeat(np.arange(len(store.lengths)), store.lengths)
        wanted_N = np.isin(self._episodes_N, episodes)
        self._steps = np.flatnonzero(wanted_N if segments is None else wanted_N & segments.of_steps(store.lengths))
        self._ends_N = np.zeros(store.transitions, np.float32)
        self._ends_N[store.offsets[1:] - 1] = store.terminated

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps to draw from, by their number in the store."""
        return self._steps

    @property
    def transitions(self) -> int:
        """Number of steps to draw from."""
        return len(self._steps)

    def sample(self, batch_size: int) -> TransitionBatch:
        """Return the next `batch_size` transitions."""
        steps_B = self._steps[self._generator.integers(0, len(self._steps), batch_size)]
        actions = self._store.actions[steps_B]
        now, after, shifts_B2 = self._observations(steps_B)
        return TransitionBatch(
            observations=now,
            actions=torch.from_numpy(actions.astype(np.int64 if actions.ndim == 1 else np.float32, copy=False)),
            rewards=torch.from_numpy(self._rewards_N[steps_B]),
            next_observations=after,
            terminated=torch.from_numpy(self._ends_N[steps_B]),
            shifts=shifts_B2,
        )

    def state_dict(self) -> dict[str, str]:
        """Return the state of the random numbers as text, so that a resumed run draws the same transitions."""
        return {"generator": json.dumps(self._generator.bit_generator.state)}

    def load_state_dict(self, state: dict[str, str]) -> None:
        """Go on from a `state_dict`."""
        self._generator.bit_generator.state = parse_json(state["generator"])

    def _observations(self, steps_B: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor | None]:
        episodes_B = self._episodes_N[steps_B]
        rows_B = steps_B + episodes_B  # an episode has one observation more than it has steps
        if not self._has_frames:
            observed = self._store.observations
            return torch.from_numpy(observed[rows_B]), torch.from_numpy(observed[rows_B + 1]), None
        offsets = np.arange(1 - STACK, 2)
        times_BL = (steps_B - self._store.offsets[episodes_B])[:, None] + offsets
        frames = self._store.observations.gather(np.where(times_BL >= 0, rows_B[:, None] + offsets, -1))
        shifts_B2 = None
        if self._frame_shift:
            frames, shifts_B2 = shift_frames(frames, self._frame_shift, self._generator)
        frames_BLHW = torch.from_numpy(frames)
        return frames_BLHW[:, :STACK], frames_BLHW[:, 1:], shifts_B2


def scaled_rewards(store: EpisodeStore, kind: RewardKind, scale: RewardScale) -> NDArray[np.float32]:
    """Return the rewards (N,) as a value-based method wants them: as they are, their sign, or by their range."""
    rewards_N = store.rewards_of(kind)
    if scale == "sign":
        return np.sign(rewards_N)
    if scale == "raw":
        return rewards_N
    returns_E = store.returns(kind)
    # A few episodes that returned nearly the same would be blown up without bound, and one alone left as it is.
    span = max(float(np.ptp(returns_E)), _LEAST_SPAN * float(np.abs(returns_E).max()))
    return rewards_N * np.float32(_RANGE / span) if span > 0 else rewards_N


def chosen_episodes(returns_E: NDArray[np.float64], kind: Filter, share: float, least: int = 1) -> NDArray[np.int64]:
    """Return the indices of the episodes to imitate: all, the best `share`, or the upper group.

    Of the best at least `least` are taken, or the better half of a set that has not twice as many: a few episodes say
    more of their noise than of what is good.

    `split` puts the border where the returns fall apart most clearly (Otsu 1979: the variance between the two groups
    is largest), so the data decide how many episodes are good; equal returns are all kept.
    """
    count = len(returns_E)
    if kind == "none":
        return np.arange(count)
    best_first = np.argsort(-returns_E, kind="stable")
    if kind == "top":
        return np.sort(best_first[: max(round(share * count), min(least, (count + 1) // 2))])
    ordered = np.sort(returns_E)
    below = np.arange(1, count)
    sums = np.cumsum(ordered)
    gaps = sums[:-1] / below - (sums[-1] - sums[:-1]) / (count - below)
    between = below * (count - below) * gaps**2
    if not between.size or between.max() == 0:
        return np.arange(count)
    return np.flatnonzero(returns_E >= ordered[1 + int(between.argmax())])
