"""Tap on the attention layers of a trunk: queries and keys as they are used, and the weights that they make.

SDPA gives no weights. The layers of GPT-2 show queries and keys, those of other trunks get an attention function that
calls SDPA and shows them; what the trunk computes is the same bit for bit.

Shape suffixes: N windows, H heads, R query tokens, L tokens, S keys, F features of a head.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from lamo_core.model.gpt2.trunk import Gpt2Trunk

_NAME = "lamo-tapped"


@dataclass(frozen=True)
class Shown:
    """What an attention layer multiplies."""

    query_NHRF: Tensor
    key_NHSF: Tensor
    """Of fewer heads where several query heads share a key head."""
    places: slice
    """Which of the newest tokens the queries are of."""
    mask: Tensor | None = None
    """(N, 1, L, S) of booleans, or numbers to add; None where each token sees all before it."""
    scaling: float | None = None
    """Of products; None is one over the square root of F."""


Show = Callable[[int, Shown], None]
"""Gets the number of a layer, counted from 0, and what it multiplies."""

_taps: WeakKeyDictionary[nn.Module, dict[int, tuple[int, Show]]] = WeakKeyDictionary()
"""The taps of a layer by their own numbers, each with the number of the layer."""
_configs: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
"""What library layers had for a config before they were tapped."""


def attention_layers(trunk: nn.Module | None) -> list[Any]:
    """Return the layers of a trunk that can be tapped, the first one first."""
    if trunk is None or isinstance(trunk, Gpt2Trunk):
        return [] if trunk is None else trunk.attentions()
    return [
        module
        for module in trunk.modules()
        if type(module).__name__.endswith("Attention")
        and getattr(getattr(module, "config", None), "_attn_implementation", "") in ("sdpa", _NAME)
    ]


def tap_attention(trunk: nn.Module, show: Show) -> Callable[[], None]:
    """Let `show` see every layer at every pass from now on; returns what ends it.

    `show` must not hold on to the layers, which would then live as long as the program.
    """
    layers, key = attention_layers(trunk), id(show)
    for number, layer in enumerate(layers):
        if not _taps.get(layer):
            _open(layer)
        _taps.setdefault(layer, {})[key] = number, show

    def end() -> None:
        for layer in layers:
            _taps[layer].pop(key, None)
            if not _taps[layer]:
                _close(layer)

    return end


def attention_weights(
    query_NHRF: Tensor, key_NHSF: Tensor, scaling: float | None = None, mask_NHRS: Tensor | None = None
) -> Tensor:
    """Return the weights (N, H, R, S) of queries and keys.

    The mask has ones for dimensions that it is the same for; it holds booleans, True where a key is seen, or numbers to
    add.
    """
    if key_NHSF.shape[1] < query_NHRF.shape[1]:  # several query heads share a key head
        key_NHSF = key_NHSF.repeat_interleave(query_NHRF.shape[1] // key_NHSF.shape[1], dim=1)
    scale = query_NHRF.shape[-1] ** -0.5 if scaling is None else scaling
    scores_NHRS = torch.einsum("nhrf,nhsf->nhrs", query_NHRF, key_NHSF).float() * scale
    if mask_NHRS is not None and mask_NHRS.dtype == torch.bool:
        scores_NHRS = scores_NHRS.masked_fill(~mask_NHRS, -torch.inf)
    elif mask_NHRS is not None:
        scores_NHRS = scores_NHRS + mask_NHRS
    return scores_NHRS.softmax(-1)


def _open(layer: Any) -> None:
    if hasattr(layer, "tap"):
        layer.tap = partial(_show_gpt2, layer)
        return
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _tapped_attention)
    _configs[layer] = layer.config
    layer.config = copy.copy(layer.config)  # of this layer only: the masks stay as they are
    layer.config._attn_implementation = _NAME


def _close(layer: Any) -> None:
    if hasattr(layer, "tap"):
        layer.tap = None
    else:
        layer.config = _configs.pop(layer)


def _show(layer: nn.Module, shown: Shown) -> None:
    for number, show in _taps.get(layer, {}).values():
        show(number, shown)


def _show_gpt2(layer: nn.Module, query_NHRF: Tensor, key_NHSF: Tensor, places: slice) -> None:
    _show(layer, Shown(query_NHRF, key_NHSF, places))


def _tapped_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Do what SDPA does, and show it; the signature is that of transformers' attention functions."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    _show(module, Shown(query, key, slice(None), attention_mask, options.get("scaling")))
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output, None
