"""Where a policy looks: the attention of its layers from the newest token, taken while it decides.

SDPA gives no weights. The layers of GPT-2 show queries and keys, those of other trunks get an attention function that
calls SDPA; beside it the newest query is multiplied with the keys. The policy's outputs are the same bit for bit.

Shape suffixes: B layers (blocks), H heads, L query tokens, M keys, F features of a head.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from lamo_core.evaluation.attention_weights import Attention
from lamo_core.model.gpt2.trunk import Gpt2Trunk

_NAME = "lamo-watched"
_watched: WeakKeyDictionary[nn.Module, tuple[AttentionWatch, int]] = WeakKeyDictionary()


class AttentionWatch:
    """The newest attention weights of a policy's layers."""

    def __init__(self, layers: int, heads: int, step_tokens: int = 3) -> None:
        self.layers, self.heads, self.step_tokens = layers, heads, step_tokens
        self._weights: list[Tensor | None] = [None] * layers

    def note(self, layer: int, weights_HM: Tensor) -> None:
        """Take over the weights of a layer in a decision."""
        self._weights[layer] = weights_HM

    def take(self) -> Attention | None:
        """Return where the newest decision looked.

        None when nothing was decided since the last call, or when the tokens are no whole steps.
        """
        found = [weights for weights in self._weights if weights is not None]
        self._weights = [None] * self.layers
        if len(found) < self.layers or len({weights.shape for weights in found}) > 1:
            return None
        return Attention.of_heads(torch.stack(found).float().cpu().numpy(), self.step_tokens)


def watch_attention(policy: nn.Module) -> AttentionWatch | None:
    """Begin to watch a policy of one episode; returns None for a policy without attention layers that lamo knows."""
    trunk = getattr(policy, "trunk", None)
    layers = _attention_layers(trunk)
    if not layers:
        return None
    if layers[0] not in _watched:
        heads = int(trunk.config.num_attention_heads)  # type: ignore[union-attr]
        watch = AttentionWatch(len(layers), heads, int(policy.step_tokens))  # type: ignore[arg-type]
        for number, layer in enumerate(layers):
            _watched[layer] = watch, number
        _tap_gpt2(layers) if isinstance(trunk, Gpt2Trunk) else _tap_library(layers)
    return _watched[layers[0]][0]


def _attention_layers(trunk: nn.Module | None) -> list[Any]:
    if trunk is None or isinstance(trunk, Gpt2Trunk):
        return [] if trunk is None else trunk.attentions()
    return [
        module
        for module in trunk.modules()
        if type(module).__name__.endswith("Attention")
        and getattr(getattr(module, "config", None), "_attn_implementation", "") in ("sdpa", _NAME)
    ]


def _tap_gpt2(layers: list[Any]) -> None:
    for layer in layers:
        layer.tap = partial(_tap, layer)


def _tap_library(layers: list[Any]) -> None:
    """Give transformers' layers an attention function of our own."""
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _watched_attention)
    config = copy.copy(layers[0].config)
    config._attn_implementation = _NAME
    for layer in layers:
        layer.config = config  # of these layers only: the masks stay as they are


def _tap(layer: nn.Module, query: Tensor, key: Tensor, places: slice) -> None:
    """Note the weights of the newest query, which is read whatever else is."""
    watch, number = _watched[layer]
    if len(query) == 1:
        watch.note(number, _newest_weights(query[0, :, -1], key[0], None, None))


def _watched_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Do what SDPA does, and note the weights; the signature is that of transformers' attention functions."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    watch, layer = _watched.get(module, (None, 0))
    if watch is not None and len(query) == 1:
        watch.note(layer, _newest_weights(query[0, :, -1], key[0], attention_mask, options.get("scaling")))
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output, None


def _newest_weights(query_HF: Tensor, key_HMF: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """Return the newest token's weights, (H, M)."""
    if len(key_HMF) < len(query_HF):  # several query heads share a key head
        key_HMF = key_HMF.repeat_interleave(len(query_HF) // len(key_HMF), dim=0)
    scale = query_HF.shape[-1] ** -0.5 if scaling is None else scaling
    scores_HM = torch.einsum("hf,hmf->hm", query_HF, key_HMF).float() * scale
    if mask is not None:
        newest = mask[0, 0, -1, : scores_HM.shape[-1]]
        scores_HM = scores_HM.masked_fill(~newest, -torch.inf) if newest.dtype == torch.bool else scores_HM + newest
    return scores_HM.softmax(-1)
