"""Low-rank adapters for GPT-2's fused projection that treat query, key and value as three matrices.

One pair shared by the three, which is what PEFT makes of a fused matrix, has a third of the directions to offer to each
of them. The paper's MuJoCo code gives each its own (Hu et al. 2021, `MergedLinear` of their library).

Shape suffixes: L any leading shape, I input width, O width of one projection, R rank, P = 3 projections.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

PROJECTIONS = 3


class SplitLora(nn.Module):
    """A frozen fused projection plus three low-rank changes; the second matrices start at zero.

    `base_layer` is GPT-2's kind of layer: `weight` (I, 3 O) and `bias`.
    """

    def __init__(self, base_layer: Any, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        inputs, outputs = base_layer.weight.shape
        options = {"device": base_layer.weight.device, "dtype": base_layer.weight.dtype}
        self.base_layer: Any = base_layer
        self.dropout = nn.Dropout(dropout)
        self.scale = alpha / rank
        # Named as PEFT names its own, so that whoever looks for adapters finds them.
        first_PRI = torch.empty(PROJECTIONS, rank, inputs, **options)
        bound = 1 / math.sqrt(inputs)
        self.lora_A = nn.ParameterDict({"default": nn.Parameter(nn.init.uniform_(first_PRI, -bound, bound))})
        second_POR = torch.zeros(PROJECTIONS, outputs // PROJECTIONS, rank, **options)
        self.lora_B = nn.ParameterDict({"default": nn.Parameter(second_POR)})

    def forward(self, x_LI: Tensor) -> Tensor:
        hidden_LPR = torch.einsum("...i,pri->...pr", self.dropout(x_LI), self.lora_A["default"])
        change_LPO = torch.einsum("...pr,por->...po", hidden_LPR, self.lora_B["default"])
        return self.base_layer(x_LI) + self.scale * change_LPO.flatten(-2)  # type: ignore[no-any-return]

    def get_delta_weight(self, adapter: str) -> Tensor:
        """Return the change of the fused matrix, (I, 3 O)."""
        change_IPO = torch.einsum("por,pri->ipo", self.lora_B[adapter], self.lora_A[adapter])
        return self.scale * change_IPO.flatten(1)


def split_fused(trunk: nn.Module, names: Iterable[str], rank: int, alpha: float, dropout: float) -> None:
    """Put a `SplitLora` around layers of `trunk`."""
    for name in names:
        parent, _, leaf = name.rpartition(".")
        layer = SplitLora(trunk.get_submodule(name), rank, alpha, dropout)
        setattr(trunk.get_submodule(parent), leaf, layer)
