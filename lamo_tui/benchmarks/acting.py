"""Decisions per second of an untrained policy, in both kinds of context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lamo_core.config import ContextMode, RunConfig
from lamo_core.evaluation.decision_speed import ActingSpeed, measure_acting, tokens_per_decision
from lamo_core.model.backbone import load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.tasks.registry import task_of
from lamo_core.training.device import resolve_device

_MODES: tuple[ContextMode, ...] = ("chunked", "sliding")


@dataclass(frozen=True)
class ActingCosts:
    """What deciding costs in the chunked and the sliding context."""

    results: list[ActingSpeed]
    tokens: list[float]
    """Per decision, for each of the results."""
    device: str
    threads: int

    @property
    def gain(self) -> float:
        """How many times as fast the chunked context is."""
        chunked, sliding = self.results
        return chunked.decisions_per_second / sliding.decisions_per_second


def measure_modes(
    config: RunConfig,
    *,
    episodes: int,
    steps: int,
    threads: int,
    device: str,
    progress: Callable[[str, int, int], None],
) -> ActingCosts:
    """Time the policy of these settings; `threads` 0 leaves their number to PyTorch. Raises `LamoError`."""
    place = resolve_device(device)
    if threads:
        torch.set_num_threads(threads)
    model = load_backbone(config.model.backbone)
    adapt(model, "lora", rank=config.model.lora_rank, alpha=config.model.lora_alpha)
    policy = Policy(task_of(config.task), model, config.model, PolicyStatistics(1.0, 1000)).to(place)
    results = []
    for index, mode in enumerate(_MODES):
        progress(f"measuring {mode}", index, len(_MODES))
        results.append(measure_acting(policy, mode, episodes=episodes, steps=steps))
    tokens = [tokens_per_decision(policy, result.context) for result in results]
    return ActingCosts(results, tokens, str(place), torch.get_num_threads())
