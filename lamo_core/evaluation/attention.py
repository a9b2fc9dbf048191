"""Where a policy looks: the attention of its layers from the newest token, taken while it decides.

Shape suffixes: B layers (blocks), H heads, M keys.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from lamo_core.evaluation.attention_weights import Attention
from lamo_core.model.attention_tap import Shown, attention_layers, attention_weights, tap_attention

_watched: WeakKeyDictionary[nn.Module, AttentionWatch] = WeakKeyDictionary()
"""By the first layer."""


class AttentionWatch:
    """The newest attention weights of a policy's layers."""

    def __init__(self, layers: int, heads: int, step_tokens: int = 3) -> None:
        self.layers, self.heads, self.step_tokens = layers, heads, step_tokens
        self._weights: list[Tensor | None] = [None] * layers

    def note(self, layer: int, shown: Shown) -> None:
        """Take over the weights (H, M) of a layer in a decision of one episode."""
        if len(shown.query_NHRF) > 1:
            return
        mask = None if shown.mask is None else shown.mask[:1, :1, -1:, : shown.key_NHSF.shape[2]]
        # the newest query is there whatever else is
        newest_NH1M = attention_weights(shown.query_NHRF[:, :, -1:], shown.key_NHSF, shown.scaling, mask)
        self._weights[layer] = newest_NH1M[0, :, 0]

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
    layers = attention_layers(trunk)
    if trunk is None or not layers:
        return None
    if layers[0] not in _watched:
        heads = int(trunk.config.num_attention_heads)
        watch = AttentionWatch(len(layers), heads, int(policy.step_tokens))  # type: ignore[arg-type]
        tap_attention(trunk, watch.note)
        _watched[layers[0]] = watch
    return _watched[layers[0]]
