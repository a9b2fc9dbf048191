"""Low-rank adapters merged into the matrix that they change, while a policy acts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Merging(nn.Module):
    """An adapter whose change can be added to its matrix, which saves its two products in every decision.

    The sum is made at the first use in evaluation mode under inference mode, where nothing can learn. It is dropped
    when the layer is used otherwise or its mode is set, which everything that acts does when it begins.
    """

    base_layer: Any
    """A layer with `weight` (I, O) and `bias`."""
    _merged: Tensor | None = None

    def get_delta_weight(self, adapter: str) -> Tensor:
        """Return the change of the matrix, (I, O)."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Any:
        """Set the mode, as modules do."""
        self._merged = None
        return super().train(mode)

    def merged(self) -> Tensor | None:
        """Return the changed matrix (I, O), or None where it may still learn."""
        if self.training or not torch.is_inference_mode_enabled():
            self._merged = None
        elif self._merged is None or self._merged.device != self.base_layer.weight.device:
            self._merged = self.base_layer.weight + self.get_delta_weight("default")
        return self._merged
