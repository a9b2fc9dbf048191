"""What all memoryless methods share: features, small networks, slow copies, and how they act.

Shape suffixes: B batch, N rows, F features, A actions, M quantiles.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.embeddings import FrameEmbedding, PixelStatistics
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.task import Task


class MarkovPolicy(nn.Module, ABC):
    """A policy that sees the newest observation alone, and the losses that train it."""

    critics: ClassVar[tuple[str, ...]] = ()
    """Submodules that learn with `value.learning_rate`; the rest takes `optim.learning_rate`."""
    follows_targets: ClassVar[bool] = False
    """Whether what is asked for decides what it does."""
    value_kind: ClassVar[str] = ""
    """What `predict_value` returns, in a word; empty for methods that learn no values."""

    def __init__(self, task: Task, config: RunConfig, statistics: PolicyStatistics) -> None:
        super().__init__()
        self.task, self.statistics, self.return_scale = task, statistics, statistics.return_scale
        self.markov, self.value = config.markov, config.value
        self.discrete = task.action_kind == "discrete"

    @abstractmethod
    def act(self, observations: Tensor) -> Tensor:
        """Return logits or actions (N, A) for observations as environments give them."""

    def predict_value(self, observations: Tensor) -> Tensor | None:
        """Return the learned value (N,) of observations: the discounted rewards to come, scaled as `value.rewards`."""
        return None

    @abstractmethod
    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        """Return named losses whose sum is minimised; `step` counts optimiser steps from 0."""

    def follow(self) -> None:
        """Move slow copies towards what they copy; called once after `value.target_every` steps."""

    def epsilon_greedy(self, values_NA: Tensor) -> Tensor:
        """Return the logits of the policy that takes the best action but for a chance of `value.epsilon`."""
        epsilon, actions = self.value.epsilon, values_NA.shape[-1]
        best_NA = nn.functional.one_hot(values_NA.argmax(-1), actions).to(values_NA.dtype)
        return torch.log(best_NA * (1 - epsilon) + max(epsilon, 1e-12) / actions)


class Features(nn.Module):
    """Turn observations into features: (N, 4, 84, 84) uint8 or (N, O) float32 to (N, F).

    Frames go through the DQN network, the one that sequence policies embed states with; vectors are normalised.
    """

    def __init__(self, task: Task, width: int, statistics: PolicyStatistics, pixels: PixelStatistics | None) -> None:
        super().__init__()
        self.frames = FrameEmbedding(width, mlp=False) if task.observation == "frames" else None
        if self.frames is not None and pixels is not None:
            self.frames.centre(*pixels)
        self.size = width
        if self.frames is None:
            self.size = task.observation_shape[0]
            self.register_buffer("mean", torch.tensor(statistics.state_mean or [0.0] * self.size))
            self.register_buffer("std", torch.tensor(statistics.state_std or [1.0] * self.size))

    def forward(self, observations: Tensor, shifts_N2: Tensor | None = None) -> Tensor:
        if self.frames is not None:
            return torch.relu(self.frames(observations, shifts_N2))
        return (observations - self.get_buffer("mean")) / self.get_buffer("std")


def hidden_sizes(task: Task, config: RunConfig) -> list[int]:
    """Return the hidden layers behind the features: none for frames, whose network is deep already."""
    return [] if task.observation == "frames" else [config.markov.width] * config.markov.layers


def network(inputs: int, hidden: Sequence[int], outputs: int) -> nn.Sequential:
    """Return linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(inputs, size), nn.ReLU()]
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class ActionValues(nn.Module):
    """Two critics of continuous actions: features (…, F) and actions (…, A) to (2, …)."""

    def __init__(self, features: int, actions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.both = nn.ModuleList(network(features + actions, hidden, 1) for _ in range(2))

    def forward(self, features_NF: Tensor, actions_NA: Tensor) -> Tensor:
        joined = torch.cat([features_NF, actions_NA], dim=-1)
        return torch.stack([critic(joined).squeeze(-1) for critic in self.both])


class SquashedGaussian(nn.Module):
    """A normal distribution squashed into [-1, 1], as a soft actor-critic has it."""

    def __init__(self, features: int, actions: int, hidden: Sequence[int], log_std_offset: float = 0.0) -> None:
        super().__init__()
        self.layers = network(features, hidden, 2 * actions)
        self._log_std_offset = log_std_offset

    def forward(self, features_NF: Tensor) -> Tensor:
        """Return the action in the middle (N, A)."""
        return torch.tanh(self.layers(features_NF).chunk(2, dim=-1)[0])

    def draw(self, features_NF: Tensor) -> tuple[Tensor, Tensor]:
        """Return reparametrised actions (N, A) and their log densities (N,)."""
        mean_NA, log_std_NA = self.layers(features_NF).chunk(2, dim=-1)
        log_std_NA = (log_std_NA + self._log_std_offset).clamp(-20, 2)
        noise_NA = torch.randn_like(mean_NA)
        raw_NA = mean_NA + log_std_NA.exp() * noise_NA
        normal_N = (-0.5 * noise_NA**2 - log_std_NA - 0.5 * math.log(2 * math.pi)).sum(-1)
        # log(1 - tanh(x)^2), written so that it does not overflow
        squash_N = (2 * (math.log(2) - raw_NA - nn.functional.softplus(-2 * raw_NA))).sum(-1)
        return torch.tanh(raw_NA), normal_N - squash_N


Module = TypeVar("Module", bound=nn.Module)


def slow_copy(module: Module) -> Module:
    """Return a copy that gradients do not train; `move` lets it follow."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def move(slow: nn.Module, fast: nn.Module, rate: float) -> None:
    """Move a slow copy a share `rate` of the way towards its original."""
    for theirs, ours in zip(slow.parameters(), fast.parameters(), strict=True):
        theirs.lerp_(ours, rate)


@contextmanager
def fixed(module: nn.Module) -> Iterator[None]:
    """Let gradients of what is computed inside pass through a module without reaching its parameters."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
