"""A mixture of a layer's attention heads: each token weighs what the heads found before it is joined.

Heads of language models that look almost only at the newest token ("Markov heads") keep doing so however they are
fine-tuned, which helps where the newest step decides and hurts where it does not. Zhao et al. 2025 ("Unveiling Markov
Heads in Pretrained Language Models for Offline Reinforcement Learning") therefore let heads be weighed as needed. The
form here is ours: weights are a softmax over heads, read from their outputs, times the number of heads. They start
even, which leaves the pre-trained layer as it was bit for bit.

Shape suffixes: L tokens, H heads, F features of a head, I = H F.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.errors import UsageError

GATE = ".gate."
"""Part of the names of what it adds to a trunk."""


class HeadMixing(nn.Module):
    """Stands before a layer's output projection, whose input is the heads' outputs side by side."""

    def __init__(self, projection: nn.Module, heads: int, features: int) -> None:
        """`features` are those of one head."""
        super().__init__()
        self.projection = projection
        self.heads = heads
        # zeros take nothing from the random stream, so all other weights begin as they do without mixing
        self.gate = nn.ParameterDict(
            {"weight": torch.zeros(heads, heads * features), "bias": torch.zeros(heads)},
        )

    def shares(self, joined_LI: Tensor) -> Tensor:
        """Return the weights of the heads (…, L, H), float32; their mean over heads is 1."""
        logits_LH = F.linear(joined_LI, self.gate["weight"], self.gate["bias"]).float()
        # not softmax times H: equal logits must give exactly 1, whatever the number of heads
        raised_LH = (logits_LH - logits_LH.amax(-1, keepdim=True)).exp()
        return raised_LH / raised_LH.mean(-1, keepdim=True)

    def forward(self, joined_LI: Tensor, *told: Any) -> Tensor:
        """Weigh the heads and project: (…, L, I) to (…, L, D); what else the projection is told goes on to it."""
        return self.projection(self.mixed(joined_LI), *told)  # type: ignore[no-any-return]

    def mixed(self, joined_LI: Tensor) -> Tensor:
        """Weigh the heads, (…, L, I)."""
        split_LHF = joined_LI.reshape(*joined_LI.shape[:-1], self.heads, -1)
        mixed_LHF = split_LHF * self.shares(joined_LI).to(joined_LI.dtype).unsqueeze(-1)
        return mixed_LHF.flatten(-2)


def mix_heads(trunk: nn.Module, names: Iterable[str], family: str) -> None:
    """Put a `HeadMixing` before the output projections of `trunk` that are named.

    Raises `UsageError` for a trunk with a single head, which has nothing to mix, and for one whose output projections
    do not take all heads side by side.
    """
    config = trunk.config
    heads = int(config.num_attention_heads)  # type: ignore[union-attr, arg-type]
    if heads < 2:
        raise UsageError(f"a trunk of the family {family!r} with one head has nothing to mix; drop attention-mixing")
    width = int(config.hidden_size)  # type: ignore[union-attr, arg-type]
    features = int(getattr(config, "head_dim", None) or width // heads)
    for name in names:
        layer, (parent, _, leaf) = trunk.get_submodule(name), name.rpartition(".")
        if _inputs(layer) != heads * features:
            raise UsageError(f"the heads of the family {family!r} do not lie side by side; drop attention-mixing")
        setattr(trunk.get_submodule(parent), leaf, HeadMixing(layer, heads, features))


def _inputs(layer: Any) -> int:
    """Return how many numbers a projection takes; the base layer of an adapter, and GPT-2's kind, tell it otherwise."""
    base = getattr(layer, "base_layer", layer)
    return int(base.in_features) if hasattr(base, "in_features") else len(base.weight)
