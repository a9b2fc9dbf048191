"""Where a policy looks: the last layer's attention from the newest token, taken while it decides.

SDPA gives no weights. The layer gets an attention function that calls SDPA and, beside it, multiplies the newest
query with the keys; the policy's outputs are the same to the last bit.

Shape suffixes: H heads, L query tokens, M keys, F features of a head.
"""

from __future__ import annotations

import copy
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_NAME = "lamo-watched"
_watched: WeakKeyDictionary[nn.Module, AttentionWatch] = WeakKeyDictionary()


class AttentionWatch:
    """The newest attention weights of one layer."""

    def __init__(self) -> None:
        self._weights: Tensor | None = None

    def note(self, weights_M: Tensor) -> None:
        """Take over the weights of a decision."""
        self._weights = weights_M

    def take(self) -> NDArray[np.float32] | None:
        """Return the weights (C, 3) that the newest decision gave to return, state and action of C steps, oldest first.

        They add up to 1; the newest step has no action yet. None when nothing was decided since the last call, or
        when the tokens do not come in threes.
        """
        weights, self._weights = self._weights, None
        if weights is None or (len(weights) + 1) % 3:
            return None
        return np.append(weights.float().cpu().numpy(), np.float32(0)).reshape(-1, 3)


def watch_attention(policy: nn.Module) -> AttentionWatch | None:
    """Begin to watch a policy of one episode; returns None for a policy without an attention layer that lamo knows."""
    layer = _last_attention(policy)
    if layer is None:
        return None
    if layer not in _watched:
        from transformers import AttentionInterface

        AttentionInterface.register(_NAME, _watched_attention)
        config = copy.copy(layer.config)
        config._attn_implementation = _NAME
        layer.config = config  # of this layer only: the others and the masks stay as they are
        _watched[layer] = AttentionWatch()
    return _watched[layer]


def _last_attention(policy: nn.Module) -> Any:
    trunk = getattr(policy, "trunk", None)
    modules = [] if trunk is None else list(trunk.modules())
    fitting = [
        module
        for module in modules
        if type(module).__name__.endswith("Attention")
        and getattr(getattr(module, "config", None), "_attn_implementation", "") in ("sdpa", _NAME)
    ]
    return fitting[-1] if fitting else None


def _watched_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Do what SDPA does, and note the weights; the signature is that of transformers' attention functions."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    watch = _watched.get(module)
    if watch is not None and len(query) == 1:
        watch.note(_newest_weights(query[0, :, -1], key[0], attention_mask, options.get("scaling")))
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output, None


def _newest_weights(query_HF: Tensor, key_HMF: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """Return the mean over heads of the newest token's weights, (M,)."""
    if len(key_HMF) < len(query_HF):  # several query heads share a key head
        key_HMF = key_HMF.repeat_interleave(len(query_HF) // len(key_HMF), dim=0)
    scale = query_HF.shape[-1] ** -0.5 if scaling is None else scaling
    scores_HM = torch.einsum("hf,hmf->hm", query_HF, key_HMF).float() * scale
    if mask is not None:
        newest = mask[0, 0, -1, : scores_HM.shape[-1]]
        scores_HM = scores_HM.masked_fill(~newest, -torch.inf) if newest.dtype == torch.bool else scores_HM + newest
    return scores_HM.softmax(-1).mean(0)
