"""transformers' key-value cache with room kept free in it, for the trunks that are transformers' own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from lamo_core.model.key_values import append


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
        self._key_room, self.keys = append(self._key_room, self.keys, key_states)
        self._value_room, self.values = append(self._value_room, self.values, value_states)
        return self.keys, self.values


def roomy_cache() -> Any:
    """Return an empty cache for a trunk whose layers all attend to the whole past."""
    return Cache(layer_class_to_replicate=RoomyLayer)
