"""Losses by name: what the policy decides, and what the language model remembers.

Shape suffixes: B batch, K steps, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lamo_core.model.extras.word_actions import action_bins
from lamo_core.scalars import scalar


@dataclass(frozen=True)
class LossSums:
    """A decision loss as a sum and the number of real steps in it, so that micro-batches add up exactly."""

    total: Tensor
    count: Tensor


def decision_loss(predicted_BKA: Tensor, actions: Tensor, mask_BK: Tensor) -> LossSums:
    """Sum the loss over real steps: cross-entropy for discrete actions, squared error for continuous ones.

    `actions` is (B, K) int64 or (B, K, A) float. Padded steps take no part: what is predicted there is replaced, not
    multiplied away, so that not even a NaN in them could leak into the sum or into a gradient. The squared error is the
    mean over action dimensions (paper eq. 3), and so is the cross-entropy when bins of continuous actions are
    predicted, (B, K, A, W).
    """
    predicted_BKA = real_steps(predicted_BKA.float(), mask_BK)
    actions = real_steps(actions, mask_BK)
    if not actions.is_floating_point():
        total = sum_of_real(_cross_entropy(predicted_BKA, actions), mask_BK)
    elif predicted_BKA.ndim == 4:
        total = sum_of_real(_cross_entropy(predicted_BKA, action_bins(actions)), mask_BK) / actions.shape[-1]
    else:
        errors_BKA = nn.functional.mse_loss(predicted_BKA, actions, reduction="none")
        total = sum_of_real(errors_BKA, mask_BK) / actions.shape[-1]
    return LossSums(total, mask_BK.sum())


def real_steps(values: Tensor, mask_BK: Tensor) -> Tensor:
    """Return values (B, K, …) with zeros where the mask is False; gradients there are zeros, too.

    Picking steps by the mask would make a device tell the host how many there are, and wait for it.
    """
    mask = mask_BK if values.ndim == 2 else mask_BK.view(*mask_BK.shape, *[1] * (values.ndim - 2))
    return torch.where(mask, values, scalar(0, values.dtype, values.device))


def sum_of_real(values: Tensor, mask_BK: Tensor) -> Tensor:
    """Return the sum of values (B, K, …) over steps where the mask is True, of a loss made from `real_steps`."""
    return real_steps(values, mask_BK).sum()


def _cross_entropy(logits: Tensor, chosen: Tensor) -> Tensor:
    """Return the cross-entropy (…) of logits (…, C) and classes (…)."""
    losses = nn.functional.cross_entropy(logits.flatten(0, -2), chosen.flatten(), reduction="none")
    return losses.view(chosen.shape)
