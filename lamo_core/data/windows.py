"""Random windows of K steps from an `EpisodeStore`: one gather per batch, no loop over its samples.

Legend: B windows, K steps, L = K + 3 frames, N steps of the store.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamo_core.config import ReturnInput, WindowKind
from lamo_core.data.episodes import EpisodeStore, Frames, RewardKind
from lamo_core.data.held_out import Segments, whole
from lamo_core.scalars import scalar
from lamo_core.untrusted.parsing import parse_json

STACK = 4
"""Frames that the policy sees at once."""


@dataclass(frozen=True)
class WindowBatch:
    """B windows of K steps, on the CPU. Real steps come first, padding after them."""

    observations: Tensor
    """Frames: uint8 (B, K + 3, 84, 84), so step k sees frames k … k + 3; empty before an episode's start and
    in the padding. Vectors: float32 (B, K, O)."""
    actions: Tensor
    """int64 (B, K), or float32 (B, K, A)."""
    returns_to_go: Tensor
    """float32 (B, K), divided by the return scale."""
    timesteps: Tensor
    """int64 (B, K): 0 is the policy's first decision of the episode."""
    mask: Tensor
    """bool (B, K): True for real steps."""
    shifts: Tensor | None = None
    """int64 (B, 2): pixels down and right at which a window's frames are read; None when they are not moved."""
    rewards: Tensor | None = None
    """float32 (B, K), divided by the return scale; None unless asked for, as is `terminated`."""
    terminated: Tensor | None = None
    """bool (B, K): True for a step with which the task itself ended the episode."""

    def without_padding(self) -> WindowBatch:
        """Return the batch with zeros for all numbers of padded steps, whatever they hold.

        A network multiplies gradients with its inputs, so that a NaN would spoil them even where no loss is.
        """
        held = {name: getattr(self, name) for name in ("observations", "actions", "returns_to_go", "rewards")}
        floats = {name: value for name, value in held.items() if value is not None and value.is_floating_point()}
        masks = {2: self.mask, 3: self.mask.unsqueeze(-1)}
        none = {value.dtype: scalar(0.0, value.dtype, value.device) for value in floats.values()}
        real = {name: torch.where(masks[value.ndim], value, none[value.dtype]) for name, value in floats.items()}
        return replace(self, **real)


def returns_to_go(store: EpisodeStore, kind: ReturnInput, rewards: RewardKind) -> NDArray[np.float32]:
    """Return (N,): the sum of an episode's rewards from a step on, with or without the step's own; `none` gives 0."""
    if kind == "none":
        return np.zeros(store.transitions, np.float32)
    values = store.rewards_of(rewards).astype(np.float64)
    totals = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.repeat(totals[store.offsets[1:]], store.lengths)
    before = totals[:-1] if kind == "inclusive" else totals[1:]
    return np.asarray(ends - before, np.float32)


class WindowSampler:
    """Draws windows uniformly: all `full` ones, one that ends at each step, or one that begins there.

    Full windows start at 0 … max(0, T - K) of an episode of T steps; one shorter than K gives one padded window. They
    hold an episode's first step once and a later one K times, though play begins there. With `every-step` each step is
    as often a window's newest, so early steps are learned with as few steps before them as a policy has when it plays.
    With `every-start` each step is as often a window's first; what follows it in the episode is all that there is.
    `frame_shift` moves all frames of a window by the same random offset of up to that many pixels (DrQ, Kostrikov et
    al. 2020), repeating the edge.
    """

    def __init__(
        self,
        store: EpisodeStore,
        *,
        context: int,
        return_to_go: ReturnInput,
        rewards: RewardKind,
        return_scale: float,
        frame_shift: int,
        generator: np.random.Generator,
        values: bool = False,
        windows: WindowKind = "full",
        segments: Segments | None = None,
    ) -> None:
        """`values` adds rewards and ends to the windows, for those who learn values.

        Windows lie within the `segments` of the episodes, which leave some of their steps out; None all steps.
        """
        self._store = store
        self._context = context
        self._frame_shift = frame_shift
        self._generator = generator
        self._returns_to_go = returns_to_go(store, return_to_go, rewards) / np.float32(return_scale)
        self._newest_drawn = windows == "every-step"
        self._segments = segments or whole(store.lengths)
        lengths = self._segments.lengths
        full = np.where(lengths > 0, np.maximum(lengths - context, 0) + 1, 0)
        self._counts = full if windows == "full" else lengths
        self._ends = np.cumsum(self._counts)
        self._has_frames = not isinstance(store.observations, np.ndarray)
        self._rewards = store.rewards_of(rewards) / np.float32(return_scale) if values else None

    def sample(self, batch_size: int) -> WindowBatch:
        """Return the next `batch_size` windows."""
        draws = self._generator.integers(0, self._ends[-1], batch_size)
        episodes = np.searchsorted(self._ends, draws, side="right")
        begins, stops = self._segments.begins[episodes], self._segments.ends[episodes]
        firsts = begins + draws - self._ends[episodes] + self._counts[episodes]
        if self._newest_drawn:
            firsts, stops = np.maximum(firsts + 1 - self._context, begins), firsts + 1
        times_BK = firsts[:, None] + np.arange(self._context)
        mask_BK = times_BK < stops[:, None]
        times_BK[~mask_BK] = 0
        steps_BK = self._store.offsets[episodes][:, None] + times_BK
        actions = self._store.actions[steps_BK]
        actions[~mask_BK] = 0
        returns_BK = np.where(mask_BK, self._returns_to_go[steps_BK], np.float32(0))
        discrete = actions.ndim == 2
        observations, shifts_B2 = self._observations(episodes, firsts, mask_BK), None
        if self._has_frames and self._frame_shift:
            observations, shifts_B2 = shift_frames(observations, self._frame_shift, self._generator)
        batch = WindowBatch(
            observations=torch.from_numpy(observations),
            actions=torch.from_numpy(actions.astype(np.int64 if discrete else np.float32, copy=False)),
            returns_to_go=torch.from_numpy(returns_BK),
            timesteps=torch.from_numpy(times_BK),
            mask=torch.from_numpy(mask_BK),
            shifts=shifts_B2,
        )
        return batch if self._rewards is None else self._with_values(batch, episodes, steps_BK, mask_BK)

    def _with_values(
        self, batch: WindowBatch, episodes: NDArray[np.int64], steps_BK: NDArray[np.int64], mask_BK: NDArray[np.bool_]
    ) -> WindowBatch:
        assert self._rewards is not None
        last_B1 = (self._store.offsets[episodes + 1] - 1)[:, None]
        ends_BK = mask_BK & (steps_BK == last_B1) & self._store.terminated[episodes][:, None]
        rewards_BK = np.where(mask_BK, self._rewards[steps_BK], np.float32(0))
        return replace(batch, rewards=torch.from_numpy(rewards_BK), terminated=torch.from_numpy(ends_BK))

    def state_dict(self) -> dict[str, str]:
        """Return the state of the random numbers as text, so that a resumed run draws the same windows."""
        return {"generator": json.dumps(self._generator.bit_generator.state)}

    def load_state_dict(self, state: dict[str, str]) -> None:
        """Go on from a `state_dict`."""
        self._generator.bit_generator.state = parse_json(state["generator"])

    def _observations(
        self, episodes: NDArray[np.int64], firsts: NDArray[np.int64], mask_BK: NDArray[np.bool_]
    ) -> NDArray[Any]:
        rows_B = self._store.offsets[episodes] + episodes
        if not self._has_frames:
            rows_BK = rows_B[:, None] + np.where(mask_BK, firsts[:, None] + np.arange(self._context), 0)
            values: NDArray[np.float32] = self._store.observations[rows_BK]
            values[~mask_BK] = 0
            return values
        times_BL = firsts[:, None] + np.arange(1 - STACK, self._context)
        real_BL = (times_BL >= 0) & (times_BL < (firsts + mask_BK.sum(1))[:, None])
        frames: Frames = self._store.observations.gather(np.where(real_BL, rows_B[:, None] + times_BL, -1))
        return frames


def shift_frames(frames: Frames, reach: int, generator: np.random.Generator) -> tuple[Frames, Tensor]:
    """Move all frames of each of B runs by one random offset of up to `reach` pixels, in place, edges repeated.

    `frames` is (B, L, 84, 84). Returns them and the offsets (B, 2) down and right at which they are read.
    """
    # Vertically one gather of whole picture rows; horizontally one slice per offset, of which there are few.
    batch, length, height, width = frames.shape
    down, right = generator.integers(-reach, reach + 1, (2, batch))
    pictures = np.arange(batch * length).reshape(batch, length, 1) * height
    rows = np.clip(np.arange(height) + down[:, None], 0, height - 1)[:, None]
    moved = frames.reshape(-1, width)[pictures + rows]
    for offset in np.unique(right):
        first, last = max(0, offset), width + min(0, offset)
        chosen = right == offset
        part = moved[chosen]
        shifted = np.empty_like(part)
        shifted[..., first - offset : last - offset] = part[..., first:last]
        shifted[..., : first - offset] = part[..., :1]
        shifted[..., last - offset :] = part[..., -1:]
        frames[chosen] = shifted
    return frames, torch.from_numpy(np.stack([down, right], axis=1))
