"""How much each head attends to the newest token alone, before and after training.

Heads that look almost only at the newest token, called Markov heads, are what language models are said to bring along
for short-horizon control (Zhao et al. 2025, "Unveiling Markov Heads in Pretrained Language Models for Offline RL").

Shape suffixes: N windows, K steps of a window, L tokens, H heads, F features of a head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lamo_core.data.windows import WindowBatch
from lamo_core.model.attention_tap import Shown, attention_weights, tap_attention
from lamo_core.model.extras.head_mixing import HeadMixing
from lamo_core.model.policy import Policy


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

    def note(layer: int, shown: Shown) -> None:
        weights_NHKL = _of_states(shown, places)
        steps = torch.arange(counted_NK.shape[1], device=weights_NHKL.device)
        at = places.start + places.step * steps
        own = weights_NHKL[:, :, steps, at]
        step = own + (weights_NHKL[:, :, steps, at - 1] if places.start else 0)
        keep_N1K = counted_NK[:, None].to(own.device)
        for head in range(own.shape[1]):
            masses = [float(part[:, head][keep_N1K[:, 0]].mean()) for part in (own, step)]
            found.append(HeadMass(layer, head, *masses))

    end = tap_attention(policy.trunk, note)
    try:
        with torch.no_grad(), weights:
            policy(batch)
    finally:
        end()
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


def _of_states(shown: Shown, states: slice) -> Tensor:
    """Return the attention weights (N, H, K, L) of state tokens; padding stands after the real ones, unmasked."""
    of_states = shown.places == states
    query_NHKF = shown.query_NHRF if of_states else shown.query_NHRF[:, :, states]
    tokens = shown.key_NHSF.shape[2]
    earlier_LL = torch.ones(tokens, tokens, dtype=torch.bool, device=query_NHKF.device).tril()
    return attention_weights(query_NHKF, shown.key_NHSF, shown.scaling, earlier_LL[states])
