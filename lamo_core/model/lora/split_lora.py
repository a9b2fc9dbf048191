"""Low-rank adapters for GPT-2's fused projection that treat query, key and value as three matrices.

One pair shared by the three, which is what PEFT makes of a fused matrix, has a third of the directions to offer to each
of them. The paper's MuJoCo code gives each its own (Hu et al. 2021, `MergedLinear` of their library).

Shape suffixes: L any leading shape, M rows, K of them that are read, I input width, O width of one projection, R rank,
P = 3 projections.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.model.gpt2.by_hand import Parts
from lamo_core.model.merging import Merging
from lamo_core.model.reading import Read, apart

PROJECTIONS = 3


class SplitLora(Merging):
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

    @property
    def parts(self) -> Parts:
        """What a step with gradients by hand needs of it."""
        self._merged = None  # it is about to learn
        first, second = self.lora_A["default"], self.lora_B["default"]
        share = self.dropout.p if self.training else 0.0
        return Parts(self.base_layer.weight, self.base_layer.bias, first, second, self.scale, share)

    def forward(self, x_LI: Tensor) -> Tensor:
        """Project (…, I) to (…, 3 O)."""
        merged_IO = self.merged()
        if merged_IO is not None:
            return F.linear(x_LI, merged_IO.t(), self.base_layer.bias)
        base_LO = self.base_layer(x_LI)
        base_MPO = base_LO.view(-1, PROJECTIONS, base_LO.shape[-1] // PROJECTIONS)
        changed_PMO = self._changed(base_MPO.transpose(0, 1), self._narrow(x_LI.flatten(0, -2)), slice(None))
        return changed_PMO.transpose(0, 1).reshape(base_LO.shape)

    def queries_apart(self, x_MI: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        """Return the first of the outputs for tokens that are read, (K, O), and the others for all (M, 2 O)."""
        merged_IO = self.merged()
        if merged_IO is not None:
            return apart(x_MI, merged_IO, self.base_layer.bias, read)
        queries_KO, rest_M2O = self.base_layer.queries_apart(x_MI, read)
        narrow_PMR = self._narrow(x_MI)
        read_1KR = read.pick(narrow_PMR[0]).unsqueeze(0)
        rest_2MO = rest_M2O.view(len(x_MI), PROJECTIONS - 1, -1).transpose(0, 1)
        changed_2MO = self._changed(rest_2MO, narrow_PMR[1:], slice(1, None))
        queries_1KO = self._changed(queries_KO.unsqueeze(0), read_1KR, slice(0, 1))
        return queries_1KO[0], changed_2MO.transpose(0, 1).reshape(rest_M2O.shape)

    def _narrow(self, x_MI: Tensor) -> Tensor:
        """Return what the first matrices make of rows, (P, M, R)."""
        first_PRI = self.lora_A["default"]
        narrow_MS = torch.mm(self.dropout(x_MI), first_PRI.flatten(0, 1).t())
        return narrow_MS.view(len(x_MI), PROJECTIONS, -1).transpose(0, 1)

    def _changed(self, base_PMO: Tensor, narrow_PMR: Tensor, parts: slice) -> Tensor:
        second_POR = self.lora_B["default"][parts]
        return torch.baddbmm(base_PMO, narrow_PMR, second_POR.transpose(1, 2), alpha=self.scale)

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
