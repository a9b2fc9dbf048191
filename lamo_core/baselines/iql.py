"""Implicit Q-learning (Kostrikov et al. 2022): values by expectile regression, a policy by weighted imitation.

It never asks for the value of an action that the data do not hold. Shape suffixes: B batch, F features, A actions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lamo_core.baselines.policy import (
    ActionValues,
    Features,
    MarkovPolicy,
    hidden_sizes,
    move,
    network,
    slow_copy,
)
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.embeddings import PixelStatistics
from lamo_core.model.extras.value_heads import expectile_error
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.task import Task

_LARGEST_WEIGHT = 100.0
"""Of an action, as published."""


class Critics(nn.Module):
    """Features with two critics: the value of an action in the data, (2, B)."""

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__()
        hidden = hidden_sizes(task, config)
        self.features = Features(task, config.markov.width, statistics, pixels)
        self.heads: nn.Module = (
            nn.ModuleList(network(self.features.size, hidden, task.actions) for _ in range(2))
            if task.action_kind == "discrete"
            else ActionValues(self.features.size, task.actions, hidden)
        )

    def forward(self, features_BF: Tensor, actions: Tensor) -> Tensor:
        if isinstance(self.heads, ActionValues):
            return self.heads(features_BF, actions)  # type: ignore[no-any-return]
        assert isinstance(self.heads, nn.ModuleList)
        return torch.stack([head(features_BF).gather(-1, actions[:, None]).squeeze(-1) for head in self.heads])


class ImplicitQ(MarkovPolicy):
    """Two critics, a value function at an expectile of them, and a policy of advantage-weighted imitation.

    On frames the four share one network, which all of their losses train; the authors treat vectors only.
    """

    critics = ("q", "v")
    value_kind = "value"

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__(task, config, statistics)
        hidden = hidden_sizes(task, config)
        self.q = Critics(task, config, statistics, pixels)
        size = self.q.features.size
        self.v = network(size, hidden, 1)
        self.actor = network(size, hidden, task.actions)
        self.log_std = None if self.discrete else nn.Parameter(torch.zeros(task.actions))
        self.slow = slow_copy(self.q)

    def act(self, observations: Tensor) -> Tensor:
        return self._read(self.q.features(observations))

    def predict_value(self, observations: Tensor) -> Tensor:
        return self.v(self.q.features(observations)).squeeze(-1)  # type: ignore[no-any-return]

    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        features_BF = self.q.features(batch.observations, batch.shifts)
        v_B = self.v(features_BF).squeeze(-1)
        with torch.no_grad():
            slow_BF = self.slow.features(batch.observations, batch.shifts)
            held_B = self.slow(slow_BF, batch.actions).amin(0)
            next_BF = self.q.features(batch.next_observations, batch.shifts)
            next_v_B = self.v(next_BF).squeeze(-1)
            target_B = batch.rewards + self.value.discount * (1 - batch.terminated) * next_v_B
            weights_B = (self.value.temperature * (held_B - v_B)).exp().clamp(max=_LARGEST_WEIGHT)
        q_2B = self.q(features_BF, batch.actions)
        return {
            "value": expectile_error(held_B - v_B, self.value.expectile).mean(),
            "critic": (q_2B - target_B).square().mean(1).sum(),
            "policy": -(weights_B * self._log_likelihood(features_BF, batch.actions)).mean(),
        }

    def follow(self) -> None:
        move(self.slow, self.q, self.value.target_rate)

    def _read(self, features_NF: Tensor) -> Tensor:
        read_NA = self.actor(features_NF)
        return read_NA if self.discrete else torch.tanh(read_NA)

    def _log_likelihood(self, features_BF: Tensor, actions: Tensor) -> Tensor:
        read_BA = self._read(features_BF)
        if self.log_std is None:
            return -nn.functional.cross_entropy(read_BA, actions, reduction="none")
        log_std_A = self.log_std.clamp(-20, 2)
        squared_BA = ((actions - read_BA) / log_std_A.exp()).square()
        return (-0.5 * squared_BA - log_std_A - 0.5 * math.log(2 * math.pi)).sum(-1)
