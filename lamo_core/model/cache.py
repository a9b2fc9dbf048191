"""A key-value cache that writes into room kept free for it, so that a step does not copy all earlier ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

_LEAST_ROOM = 128
"""Tokens; an episode context of 30 steps has 90."""


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """transformers' growing layer with the growth of a list: new room is twice what is needed.

    `keys` and `values` (N, heads, tokens, features) are views of that room. Cropping and choosing rows work as in the
    parent class; after choosing rows the next update makes new room. Gradients need the parent's copies.
    """

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._key_room: Tensor | None = None
        self._value_room: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append new tokens; returns all keys and all values. The signature is the parent's."""
        if torch.is_grad_enabled() and (key_states.requires_grad or value_states.requires_grad):
            grown: tuple[Tensor, Tensor] = super().update(key_states, value_states, *args, **kwargs)
            return grown
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._key_room, self.keys = _append(self._key_room, self.keys, key_states)
        self._value_room, self.values = _append(self._value_room, self.values, value_states)
        return self.keys, self.values


def roomy_cache() -> Any:
    """Return an empty cache for a trunk whose layers all attend to the whole past."""
    return Cache(layer_class_to_replicate=RoomyLayer)


def _append(room: Tensor | None, held: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    length = held.shape[-2] if held.numel() else 0
    end = length + new.shape[-2]
    fits = (
        room is not None
        and room.shape[-2] >= end
        and room.shape[0] == new.shape[0]
        and (not length or room.data_ptr() == held.data_ptr())
    )
    if not fits:
        room = new.new_empty(*new.shape[:-2], max(_LEAST_ROOM, 2 * end), new.shape[-1])
        if length:
            room[..., :length, :] = held
    assert room is not None
    room[..., length:end, :] = new
    return room, room[..., :end, :]
