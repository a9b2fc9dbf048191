"""Which parameters learn in which group of AdamW, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn

from lamo_core.config import OptimConfig
from lamo_core.errors import UsageError
from lamo_core.training.adamw import AdamW

# published configuration of the Atari code: tokens of warm-up and of the whole cosine
_OFFICIAL_WARMUP_TOKENS = 375e6
_OFFICIAL_FINAL_TOKENS = 260e9


def rate_multiplier(step: int, optim: OptimConfig, tokens_per_step: float = 0.0) -> float:
    """Return the factor on all learning rates at a step (0 is the first).

    `official-atari` needs `tokens_per_step`, the non-padding actions above 0 in a batch: the published code hands its
    running token total to a scheduler that adds it up again, so progress grows with the square of the step and the
    cosine, which is not cut off at its end, swings back up again and again.
    """
    if optim.schedule == "official-atari":
        return _official_atari(step, tokens_per_step)
    warmup = min(1.0, (step + 1) / optim.warmup_steps) if optim.warmup_steps else 1.0
    if optim.schedule in ("constant", "policy-cosine"):
        return warmup
    return warmup * (optim.final_rate + (1 - optim.final_rate) * _cosine(step, optim))


def policy_multiplier(step: int, optim: OptimConfig) -> float:
    """Return the further factor on the rate of a policy beside its critics."""
    return _cosine(step, optim) if optim.schedule == "policy-cosine" else 1.0


def _cosine(step: int, optim: OptimConfig) -> float:
    """Return what falls from 1 to 0 along a cosine between warm-up and the last step."""
    progress = min(1.0, max(0.0, step - optim.warmup_steps) / max(1, optim.steps - optim.warmup_steps))
    return 0.5 * (1 + math.cos(math.pi * progress))


def _official_atari(step: int, tokens_per_step: float) -> float:
    tokens = tokens_per_step * step * (step + 1) / 2
    if tokens < _OFFICIAL_WARMUP_TOKENS:
        return tokens / _OFFICIAL_WARMUP_TOKENS
    progress = (tokens - _OFFICIAL_WARMUP_TOKENS) / (_OFFICIAL_FINAL_TOKENS - _OFFICIAL_WARMUP_TOKENS)
    return max(0.1, 0.5 * (1 + math.cos(math.pi * progress)))


def build_optimiser(
    model: nn.Module,
    special: Iterable[str],
    optim: OptimConfig,
    *,
    rate: float,
    labels: tuple[str, str] = ("embeddings", "trunk"),
) -> AdamW:
    """Make AdamW with four groups: special parameters and the rest, each with and without weight decay.

    `special` are the names of those that learn with `rate` instead of `optim.learning_rate`, such as a trunk's;
    `labels` names the rest and them. Only matrices and convolutions decay, unless `optim.decay_all`. Every group of
    the result holds parameters, and every trainable parameter is in one group.
    """
    names = set(special)
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = optim.decay_all or (parameter.ndim >= 2 and not _is_table(model, name))
            groups.setdefault((name in names, decays), []).append(parameter)
    if not groups:
        raise UsageError("nothing is trainable with these settings; set model.adapter to lora or full")
    return AdamW(
        [
            {
                "params": parameters,
                "name": labels[is_special] + ("" if decays else "-no-decay"),
                "lr": rate if is_special else optim.learning_rate,
                "base_rate": rate if is_special else optim.learning_rate,
                "weight_decay": optim.weight_decay if decays else 0.0,
            }
            for (is_special, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
        ],
        eps=optim.epsilon,
    )


def _is_table(model: nn.Module, name: str) -> bool:
    owner = model.get_submodule(name.rpartition(".")[0])
    return isinstance(owner, nn.Embedding)


def set_rates(optimiser: AdamW, multiplier: float, policy: float = 1.0) -> float:
    """Set every group's rate to its base times `multiplier`, of a policy beside critics times `policy`, too.

    Returns the rate of the first group.
    """
    for group in optimiser.param_groups:
        beside = policy if str(group["name"]).startswith("policy") else 1.0
        group["lr"] = group["base_rate"] * multiplier * beside
    return float(optimiser.param_groups[0]["lr"])
