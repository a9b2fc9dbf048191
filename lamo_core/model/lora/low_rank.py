"""Low-rank adapters (Hu et al. 2021) of GPT-2's own projections, with few operator calls.

The same function as PEFT's `lora.Linear`, with the same names of tensors and, from the same random state, the same
first values. Shape suffixes: M rows, K of them that are read, I inputs, O outputs, R rank.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.model.gpt2.by_hand import Parts
from lamo_core.model.gpt2.trunk import Gpt2Trunk, Projection
from lamo_core.model.merging import Merging
from lamo_core.model.reading import Read, apart, drop


class LowRank(Merging):
    """A projection plus a low-rank change that starts at zero."""

    def __init__(self, base_layer: Projection, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        inputs, outputs = base_layer.weight.shape
        options: Any = {"device": base_layer.weight.device, "dtype": base_layer.weight.dtype, "bias": False}
        self.base_layer = base_layer
        self.share, self.scale = dropout, alpha / rank
        # two draws, as PEFT makes them: the layers' own, then those of the first matrix
        self.lora_A = nn.ModuleDict({"default": nn.Linear(inputs, rank, **options)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, outputs, **options)})
        nn.init.kaiming_uniform_(self.first_RI, a=5**0.5)
        nn.init.zeros_(self.second_OR)

    @property
    def first_RI(self) -> Tensor:
        """The matrix that inputs meet first."""
        return self.lora_A["default"].weight  # type: ignore[return-value]

    @property
    def second_OR(self) -> Tensor:
        """The matrix that starts at zero."""
        return self.lora_B["default"].weight  # type: ignore[return-value]

    @property
    def parts(self) -> Parts:
        """What a step with gradients by hand needs of it."""
        self._merged = None  # it is about to learn
        share = self.share if self.training else 0.0
        return Parts(self.base_layer.weight, self.base_layer.bias, self.first_RI, self.second_OR, self.scale, share)

    def forward(self, x_MI: Tensor, read: Read | None = None) -> Tensor:
        """Project rows (M, I) to (M, O); where they are those that are read, dropout falls on them as on all."""
        merged_IO = self.merged()
        if merged_IO is not None:
            return torch.addmm(self.base_layer.bias, x_MI, merged_IO)
        base_MO = self.base_layer(x_MI)
        return torch.addmm(base_MO, self._narrow(x_MI, read), self.second_OR.t(), alpha=self.scale)

    def queries_apart(self, x_MI: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        """Return the first third of the outputs for tokens that are read (K, O / 3), the rest for all (M, 2 O / 3)."""
        merged_IO = self.merged()
        if merged_IO is not None:
            return apart(x_MI, merged_IO, self.base_layer.bias, read)
        queries_KO, rest_MO = self.base_layer.queries_apart(x_MI, read)
        narrow_MR, third = self._narrow(x_MI, None), queries_KO.shape[1]
        second_RO = self.second_OR.t()
        return (
            torch.addmm(queries_KO, read.pick(narrow_MR), second_RO[:, :third], alpha=self.scale),
            torch.addmm(rest_MO, narrow_MR, second_RO[:, third:], alpha=self.scale),
        )

    def get_delta_weight(self, adapter: str) -> Tensor:
        """Return the change of the projection's matrix, (I, O)."""
        return self.scale * (self.second_OR @ self.first_RI).t()

    def _narrow(self, x_MI: Tensor, read: Read | None) -> Tensor:
        return torch.mm(drop(x_MI, self.share, self.training, read), self.first_RI.t())


def add_low_rank(trunk: Gpt2Trunk, names: Iterable[str], rank: int, alpha: float, dropout: float) -> None:
    """Put a `LowRank` around the projections of `trunk` that are named, and freeze everything else."""
    trunk.requires_grad_(False)
    for name in names:
        layer, (parent, _, leaf) = trunk.get_submodule(name), name.rpartition(".")
        assert isinstance(layer, Projection)
        setattr(trunk.get_submodule(parent), leaf, LowRank(layer, rank, alpha, dropout))
