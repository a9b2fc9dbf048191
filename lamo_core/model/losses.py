"""Losses by name: what the policy decides, and what the language model remembers.

Shape suffixes: B batch, K steps, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from lamo_core.model.extras.word_actions import action_bins


@dataclass(frozen=True)
class LossSums:
    """A decision loss as a sum and the number of real steps in it, so that micro-batches add up exactly."""

    total: Tensor
    count: Tensor


def decision_loss(predicted_BKA: Tensor, actions: Tensor, mask_BK: Tensor) -> LossSums:
    """Sum the loss over real steps: cross-entropy for discrete actions, squared error for continuous ones.

    `actions` is (B, K) int64 or (B, K, A) float. Padded steps take no part: they are cut out, not multiplied away,
    so that not even a NaN in them could leak. The squared error is the mean over action dimensions (paper eq. 3), and
    so is the cross-entropy when bins of continuous actions are predicted, (B, K, A, W).
    """
    predicted_NA = predicted_BKA[mask_BK].float()
    actions_N = actions[mask_BK]
    if actions.is_floating_point() and predicted_NA.ndim == 3:
        bins_N, logits_NW = action_bins(actions_N).flatten(), predicted_NA.flatten(0, 1)
        total = nn.functional.cross_entropy(logits_NW, bins_N, reduction="sum") / actions_N.shape[-1]
    elif actions.is_floating_point():
        total = (predicted_NA - actions_N).square().mean(-1).sum()
    else:
        total = nn.functional.cross_entropy(predicted_NA, actions_N, reduction="sum")
    return LossSums(total, mask_BK.sum())
