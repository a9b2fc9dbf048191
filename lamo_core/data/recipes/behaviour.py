"""Policies that played the bundled Atari data; their weights are read from a folder and never ship.

Three kinds, each with its own view of the game, batched over the episodes that one process plays at once:
`ScreenPolicy` is a feed-forward actor on four pooled luminance pictures, `RecurrentPolicy` a convolutional
GRU on the contrast-stretched play field, `MemoryPolicy` an MLP on the bits of the console's memory.

Legend: N episodes, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lamo_core.data.formats.array_file import read_arrays
from lamo_core.data.recipes.actors import WEIGHTS_ADVICE
from lamo_core.errors import UnsupportedDataError
from lamo_core.tasks.atari.atari_emulator import AtariEmulator

Floats = NDArray[np.float32]
LUMINANCE = (0.7152, 0.0722, 0.2126)
"""Channel weights (R, G, B) that the feed-forward actor plays well with; its source orders channels
otherwise."""


class Weights:
    """The arrays of an `.npz` file below one prefix, as torch tensors; raises `MissingError`, `DataError`."""

    def __init__(self, path: Path, prefix: str = "") -> None:
        self._arrays = {
            name.removeprefix(prefix): torch.from_numpy(array).float()
            for name, array in read_arrays(path, WEIGHTS_ADVICE).items()
            if name.startswith(prefix) and array.dtype.kind in "fiub"
        }
        if not self._arrays:
            raise UnsupportedDataError(f"{path} holds no weights named {prefix}…", WEIGHTS_ADVICE)

    def __getitem__(self, name: str) -> Tensor:
        return self._arrays[name]


class WatchedEmulator(AtariEmulator):
    """An emulator that also keeps the palette indices of its two newest screens and two newest memories."""

    def __init__(self, game: str, sticky_actions: float) -> None:
        super().__init__(game, sticky_actions)
        self.indices = np.zeros((2, 210, 160), np.uint8)
        self.memories = np.zeros((2, 128), np.uint8)

    def reset(self, seed: int) -> None:
        """Start the episode of `seed`; both views show its first moment."""
        super().reset(seed)
        self.indices[:] = self._console.getScreen()
        self.memories[:] = self.ram()

    def step(self, action: int) -> float:
        """Hold `action` for one decision, update both views and return the raw reward."""
        reward = super().step(action)
        self.memories[1] = self.memories[0]
        self.memories[0] = self.ram()
        return reward

    def _capture(self, newest: bool) -> None:
        super()._capture(newest)
        self.indices[0 if newest else 1] = self._console.getScreen()

    def colours(self, palette: Floats) -> None:
        """Write the colours of the present screen into `palette`, (128, 3)."""
        palette[self._console.getScreen().ravel() >> 1] = self.screen().reshape(-1, 3)


class BehaviourPolicy(Protocol):
    """What the collector needs: forget a slot's memory, and score the actions of some slots."""

    def forget(self, slot: int) -> None:
        """Start a new episode in `slot`."""

    def logits(self, slots: Sequence[int], games: Sequence[WatchedEmulator]) -> Floats:
        """Return action logits (N, A) of the games in `slots`."""


class Palette:
    """Colours (128, 3) of palette indices, learned from the screens themselves."""

    def __init__(self) -> None:
        self.colours: Floats = np.full((128, 3), np.nan, np.float32)
        self.pooled_luminance = np.zeros(0, np.float32)
        self.mean = np.zeros(0, np.float32)

    def learn(self, games: Sequence[WatchedEmulator]) -> None:
        """Read the colours of the games' present screens and rebuild the tables."""
        for game in games:
            game.colours(self.colours)
        pairs = np.maximum(self.colours[:, None], self.colours[None])
        self.pooled_luminance = np.trunc(pairs @ np.array(LUMINANCE, np.float32)).ravel().astype(np.float32)
        self.mean = self.colours.mean(-1).astype(np.float32)


def _bilinear_taps(source: int, target: int) -> tuple[NDArray[np.intp], Floats]:
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    low = np.floor(centres).astype(np.intp)
    return low, (centres - low).astype(np.float32)


class ScreenPolicy:
    """Feed-forward A3C actor: 4 pooled luminance pictures of 84x84, two convolutions, one hidden layer."""

    def __init__(self, weights: Weights, slots: int) -> None:
        self._weights = weights
        self._stacks = np.zeros((slots, 4, 84, 84), np.float32)
        self._palette = Palette()
        low, self._row_shares = _bilinear_taps(210, 84)
        self._picked_rows = np.concatenate([low, low + 1])
        self._columns, self._column_shares = _bilinear_taps(160, 84)

    def forget(self, slot: int) -> None:
        """Empty the slot's stack of pictures."""
        self._stacks[slot] = 0

    @torch.no_grad()
    def logits(self, slots: Sequence[int], games: Sequence[WatchedEmulator]) -> Floats:
        """Return action logits (N, A) of the games in `slots`."""
        self._stacks[slots, :3] = self._stacks[slots, 1:]
        for slot, game in zip(slots, games, strict=True):
            self._stacks[slot, 3] = self._picture(game)
        w = self._weights
        x = torch.from_numpy(self._stacks[slots]) / 255
        x = F.relu(F.conv2d(x, w["conv1.w"], w["conv1.b"], stride=4))
        x = F.relu(F.conv2d(x, w["conv2.w"], w["conv2.b"], stride=2))
        x = F.relu(F.linear(x.flatten(1), w["fc.w"], w["fc.b"]))
        return F.linear(x, w["pi.w"], w["pi.b"]).numpy()

    def _picture(self, game: WatchedEmulator) -> Floats:
        codes = game.indices[:, self._picked_rows] >> 1
        pairs = codes[0].astype(np.intp)
        pairs <<= 7
        pairs += codes[1]
        luminance = self._look_up(pairs)
        if np.isnan(luminance.sum()):
            self._palette.learn([game])
            luminance = np.nan_to_num(self._look_up(pairs))
        share = self._row_shares[:, None]
        rows = luminance[:84] * (1 - share) + luminance[84:] * share
        low, share = self._columns, self._column_shares
        return np.rint(rows.take(low, axis=1) * (1 - share) + rows.take(low + 1, axis=1) * share)

    def _look_up(self, pairs: NDArray[np.intp]) -> Floats:
        if not self._palette.pooled_luminance.size:
            self._palette.learn([])
        return np.take(self._palette.pooled_luminance, pairs)


class RecurrentPolicy:
    """Convolutional GRU actor: the play field at 80x80, stretched to full contrast, one picture per decision."""

    def __init__(self, weights: Weights, slots: int) -> None:
        self._weights = weights
        self._hidden = torch.zeros(slots, 256)
        self._palette = Palette()

    def forget(self, slot: int) -> None:
        """Empty the slot's recurrent state."""
        self._hidden[slot] = 0

    @torch.no_grad()
    def logits(self, slots: Sequence[int], games: Sequence[WatchedEmulator]) -> Floats:
        """Return action logits (N, A) of the games in `slots`."""
        x = torch.from_numpy(np.stack([self._picture(game) for game in games]))[:, None]
        w = self._weights
        # One input channel: a matrix product on the patches takes a quarter of the convolution's time.
        patches = F.unfold(x, 3, padding=1, stride=2)
        x = w["conv1.weight"].view(32, 9) @ patches + w["conv1.bias"][:, None]
        x = F.elu(x.view(-1, 32, 40, 40), inplace=True)
        for layer in range(2, 5):
            x = F.conv2d(x, w[f"conv{layer}.weight"], w[f"conv{layer}.bias"], stride=2, padding=1)
            x = F.elu(x, inplace=True)
        gates = (w["gru.weight_ih"], w["gru.weight_hh"], w["gru.bias_ih"], w["gru.bias_hh"])
        index = torch.tensor(slots)
        hidden = torch.gru_cell(x.flatten(1), self._hidden[index], *gates)
        self._hidden[index] = hidden
        return F.linear(hidden, w["actor_linear.weight"], w["actor_linear.bias"]).numpy()

    def _picture(self, game: WatchedEmulator) -> Floats:
        codes = game.indices[0, 35:195] >> 1
        if not self._palette.mean.size or np.isnan((grey := self._palette.mean[codes]).sum()):
            self._palette.learn([game])
            grey = np.nan_to_num(self._palette.mean[codes])
        low, high = grey.min(), grey.max()
        grey = np.floor((grey - low) * (255 / (high - low) if high > low else 1.0) + 0.5)
        halved = _halve(_halve(grey).T).T
        return np.ascontiguousarray(np.rint(halved) / 255, dtype=np.float32)


def _halve(picture: Floats) -> Floats:
    # A triangle filter two source rows wide on either side: 1, 3, 3, 1 eighths; rows beyond the edge are left out.
    pairs = 3 * (picture[0::2] + picture[1::2])
    weights = np.full((len(pairs), 1), 8.0, np.float32)
    weights[[0, -1]] = 7.0
    pairs[1:] += picture[1:-1:2]
    pairs[:-1] += picture[2::2]
    return pairs / weights


class MemoryPolicy:
    """MLP actor on the bits of the console's two newest memories (256 bytes)."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def forget(self, slot: int) -> None:
        """Nothing is remembered beyond the game's own two memories."""

    @torch.no_grad()
    def logits(self, slots: Sequence[int], games: Sequence[WatchedEmulator]) -> Floats:
        """Return action logits (N, A) of the games in `slots`."""
        bits = np.unpackbits(np.stack([game.memories.ravel() for game in games]), axis=-1)
        w = self._weights
        x = torch.from_numpy(bits).float()
        x = F.relu(F.linear(x, w["net.0.weight"], w["net.0.bias"]))
        x = F.relu(F.linear(x, w["net.2.weight"], w["net.2.bias"]))
        return F.linear(x, w["pi.weight"], w["pi.bias"]).numpy()
