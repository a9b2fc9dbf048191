"""How fast a policy decides, by context mode, without any environment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lamo_core.config import ContextMode
from lamo_core.evaluation.contexts import make_context, played_mode

if TYPE_CHECKING:
    from lamo_core.model.policy import Policy


@dataclass(frozen=True)
class ActingSpeed:
    """Decisions of a policy whose context is full."""

    context: ContextMode
    episodes: int
    """Episodes side by side."""
    steps: int
    """Timed steps, each one decision for every episode."""
    seconds: float
    decisions_per_second: float
    milliseconds_per_step: float
    processor_seconds: float
    """Of this process, which others on the same cores do not lengthen."""


def measure_acting(policy: Policy, mode: ContextMode, *, episodes: int, steps: int) -> ActingSpeed:
    """Time `steps` steps of `episodes` episodes after the context has filled; observations are noise.

    Whole refill cycles of the chunked cache are timed: `steps` is rounded up to a multiple of K/2 + 1.
    """
    policy.eval()
    device = next(policy.parameters()).device
    cycle = policy.context - policy.context // 2 + 1
    steps = -(-steps // cycle) * cycle
    observations, actions = _noise(policy, episodes, device)
    returns_N = torch.ones(episodes, device=device)
    context = make_context(mode, policy)
    with torch.inference_mode():
        context.decide(observations, returns_N, None)
        for _ in range(policy.context - 1):
            context.decide(observations, returns_N, actions)
        _wait(device)
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(steps):
            context.decide(observations, returns_N, actions)
        _wait(device)
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return ActingSpeed(
        context=played_mode(mode, policy),
        episodes=episodes,
        steps=steps,
        seconds=seconds,
        decisions_per_second=episodes * steps / seconds,
        milliseconds_per_step=1000 * seconds / steps,
        processor_seconds=processor,
    )


def tokens_per_decision(policy: Policy, mode: ContextMode) -> float:
    """Return how many tokens the trunk reads for one decision on average, once the context is full."""
    if mode == "sliding":
        return policy.step_tokens * policy.context - 1
    kept = max(1, policy.context // 2)
    added = policy.context - kept
    return (policy.step_tokens * kept - 1 + policy.step_tokens * added) / (1 + added)


def _noise(policy: Policy, episodes: int, device: torch.device) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    task = policy.task
    if task.observation == "frames":
        shape = (episodes, 4, *task.observation_shape)
        observations = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    else:
        observations = torch.randn(episodes, *task.observation_shape, generator=generator)
    if task.action_kind == "discrete":
        actions = torch.zeros(episodes, dtype=torch.int64)
    else:
        actions = torch.zeros(episodes, task.actions)
    return observations.to(device), actions.to(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
