"""A key-value cache that writes into room kept free for it, so that a step does not copy all earlier ones.

Shape suffixes: N rows, H heads, T tokens, F features of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_ROOM = 128
"""Tokens; an episode context of 30 steps has 90."""


class KeyValues:
    """The keys and values (N, H, T, F) that one layer of a trunk has made so far; without room where they learn."""

    def __init__(self) -> None:
        self._held: list[Tensor | None] = [None, None]
        self._rooms: list[Tensor | None] = [None, None]

    def append(self, keys_NHTF: Tensor, values_NHTF: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of new tokens; returns all keys and all values."""
        grown = [self._grown(place, new) for place, new in enumerate((keys_NHTF, values_NHTF))]
        self._held = [*grown]
        return grown[0], grown[1]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, int64 indices, in the order wanted."""
        self._held = [None if held is None else held[rows] for held in self._held]

    def restart(self) -> None:
        """Forget all tokens; the room stays, for others."""
        self._held = [None, None]

    def _grown(self, place: int, new: Tensor) -> Tensor:
        held = self._held[place]
        if torch.is_grad_enabled() and new.requires_grad:
            return new if held is None else torch.cat([held, new], dim=-2)
        self._rooms[place], grown = append(self._rooms[place], held, new)
        return grown


class TrunkCache:
    """The keys and values of all layers."""

    def __init__(self, layers: int) -> None:
        self.layers = [KeyValues() for _ in range(layers)]
        self.tokens = 0
        """How many each layer holds."""

    def batch_select_indices(self, rows: Tensor) -> None:
        """Go on with these rows only; named as in transformers' caches."""
        for layer in self.layers:
            layer.keep(rows)

    def restart(self) -> None:
        """Forget all tokens and keep the room for others, which is not asked of the system again."""
        self.tokens = 0
        for layer in self.layers:
            layer.restart()


def append(room: Tensor | None, held: Tensor | None, new: Tensor) -> tuple[Tensor, Tensor]:
    """Put new tokens behind those held, a view of the room; returns the room, a larger one if need be, and all tokens.

    The growth is that of a list: new room is twice what is needed.
    """
    length = 0 if held is None or not held.numel() else held.shape[-2]
    end = length + new.shape[-2]
    fits = (
        room is not None
        and room.shape[-2] >= end
        and room.shape[0] == new.shape[0]
        and (not length or (held is not None and room.data_ptr() == held.data_ptr()))
    )
    if not fits:
        room = new.new_empty(*new.shape[:-2], max(_LEAST_ROOM, 2 * end), new.shape[-1])
        if held is not None and length:
            room[..., :length, :] = held
    assert room is not None
    room[..., length:end, :] = new
    return room, room[..., :end, :]
