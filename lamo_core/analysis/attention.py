"""How much each head attends to the newest token alone, before and after training.

Heads that look almost only at the newest token, called Markov heads, are what language models are said to bring along
for short-horizon control (Zhao et al. 2025, "Unveiling Markov Heads in Pretrained Language Models for Offline RL").

Shape suffixes: N windows, K steps of a window, L tokens, H heads, F features of a head.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lamo_core.data.windows import WindowBatch
from lamo_core.model.extras.head_mixing import HeadMixing
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.policy import Policy

_NAME = "lamo-measured"


@dataclass(frozen=True)
class HeadMass:
    """One attention head: means over all decisions of all windows, first steps left out."""

    layer: int
    head: int
    newest_token: float
    """Attention from the state token, from which the action is read, to itself."""
    newest_step: float
    """Attention to the tokens of the newest step: its state, and its return-to-go where that is a token."""
    weight: float = 1.0
    """How much the layer makes of what the head found, 1 on average over heads; 1 without attention mixing."""


@dataclass(frozen=True)
class HeadChange:
    """One head before and after training."""

    layer: int
    head: int
    token_before: float
    token_after: float
    step_before: float
    step_after: float
    weight: float = 1.0
    """That of attention mixing after training."""


def head_masses(policy: Policy, batch: WindowBatch) -> list[HeadMass]:
    """Return the masses of all heads on some windows; empty for a trunk whose attention cannot be measured."""
    counted_NK = batch.mask.clone()
    counted_NK[:, 0] = False  # a first state token has hardly anything else to look at
    found: list[HeadMass] = []
    weights, places = _Weights(policy, counted_NK), policy.state_places

    def note(layer: int, weights_NHKL: Tensor) -> None:
        steps = torch.arange(counted_NK.shape[1], device=weights_NHKL.device)
        at = places.start + places.step * steps
        own = weights_NHKL[:, :, steps, at]
        step = own + (weights_NHKL[:, :, steps, at - 1] if places.start else 0)
        keep_N1K = counted_NK[:, None].to(own.device)
        for head in range(own.shape[1]):
            masses = [float(part[:, head][keep_N1K[:, 0]].mean()) for part in (own, step)]
            found.append(HeadMass(layer, head, *masses))

    with torch.no_grad(), _measured(policy, note), weights:
        policy(batch)
    if not weights.layers:
        return found
    return [replace(mass, weight=weights.layers[mass.layer][mass.head]) for mass in found]


def uniform_masses(batch: WindowBatch, places: slice) -> tuple[float, float]:
    """Return the two masses of a head that attends to all tokens before it alike; states are at `places`."""
    counted_NK = batch.mask.clone()
    counted_NK[:, 0] = False
    tokens_K = torch.arange(counted_NK.shape[1]) * places.step + places.start + 1
    share_NK = (1.0 / tokens_K).expand_as(counted_NK)
    own = float(share_NK[counted_NK].mean())
    return own, (places.start + 1) * own


def head_changes(before: list[HeadMass], after: list[HeadMass]) -> list[HeadChange]:
    """Join two measurements of the same heads."""
    return [
        HeadChange(
            one.layer, one.head, one.newest_token, two.newest_token, one.newest_step, two.newest_step, two.weight
        )
        for one, two in zip(before, after, strict=True)
    ]


class _Weights:
    """Takes down, while its block lasts, the mean weight that attention mixing gives each head at state tokens."""

    def __init__(self, policy: Policy, counted_NK: Tensor) -> None:
        self.layers: list[list[float]] = []
        self._mixing = [module for module in policy.trunk.modules() if isinstance(module, HeadMixing)]
        self._places = policy.state_places
        self._counted_NK = counted_NK
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> None:
        self._hooks = [layer.register_forward_pre_hook(self._note) for layer in self._mixing]

    def __exit__(self, *problem: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _note(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, HeadMixing)
        N, K = self._counted_NK.shape
        shares_NLH = layer.shares(inputs[0]).view(N, -1, layer.heads)
        # a layer that was computed for state tokens alone has no others
        shares_NKH = shares_NLH if shares_NLH.shape[1] == K else shares_NLH[:, self._places]
        self.layers.append(shares_NKH[self._counted_NK.to(shares_NKH.device)].mean(0).tolist())


@contextmanager
def _measured(policy: Policy, note: Any) -> Iterator[None]:
    """Let every attention layer of a policy tell the weights (N, H, K, L) of its state tokens while the block lasts."""
    trunk = policy.trunk
    if isinstance(trunk, Gpt2Trunk):
        with _measured_gpt2(trunk, policy.state_places, note):
            yield
    else:
        with _measured_library(trunk, policy.state_places, note):
            yield


@contextmanager
def _measured_gpt2(trunk: Gpt2Trunk, states: slice, note: Any) -> Iterator[None]:
    layers = trunk.attentions()
    kept = [layer.tap for layer in layers]

    def tap(number: int, query: Tensor, key: Tensor, places: slice) -> None:
        note(number, _weights(query if places == states else query[:, :, states], key, states, None))

    for number, layer in enumerate(layers):
        layer.tap = partial(tap, number)
    try:
        yield
    finally:
        for layer, before in zip(layers, kept, strict=True):
            layer.tap = before


@contextmanager
def _measured_library(trunk: nn.Module, states: slice, note: Any) -> Iterator[None]:
    from transformers import AttentionInterface

    layers = [module for module in trunk.modules() if _measurable(module)]
    places = {id(module): place for place, module in enumerate(layers)}

    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, None]:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        note(places[id(module)], _weights(query[:, :, states], key, states, options.get("scaling")))
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output, None

    AttentionInterface.register(_NAME, attend)
    kept = [module.config for module in layers]
    for module in layers:
        config = copy.copy(module.config)
        config._attn_implementation = _NAME  # type: ignore[union-attr]
        module.config = config
    try:
        yield
    finally:
        for module, config in zip(layers, kept, strict=True):
            module.config = config


def _measurable(module: nn.Module) -> bool:
    implementation = getattr(getattr(module, "config", None), "_attn_implementation", "")
    return type(module).__name__.endswith("Attention") and implementation not in ("", "eager")


def _weights(query_NHKF: Tensor, key_NHLF: Tensor, states: slice, scaling: float | None) -> Tensor:
    """Return the attention weights (N, H, K, L) of state tokens; padding stands after the real ones, unmasked."""
    if key_NHLF.shape[1] < query_NHKF.shape[1]:  # several query heads share a key head
        key_NHLF = key_NHLF.repeat_interleave(query_NHKF.shape[1] // key_NHLF.shape[1], dim=1)
    scale = query_NHKF.shape[-1] ** -0.5 if scaling is None else scaling
    scores_NHKL = torch.einsum("nhkf,nhlf->nhkl", query_NHKF, key_NHLF).float() * scale
    later_KL = torch.ones(key_NHLF.shape[2], key_NHLF.shape[2], dtype=torch.bool, device=key_NHLF.device).triu(1)
    return scores_NHKL.masked_fill(later_KL[states], -torch.inf).softmax(-1)
