"""Conservative Q-learning on a soft actor-critic (Kumar et al. 2020), for continuous actions.

Shape suffixes: B batch, F features, A actions, D drawn actions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lamo_core.baselines.policy import (
    ActionValues,
    Features,
    MarkovPolicy,
    SquashedGaussian,
    fixed,
    hidden_sizes,
    move,
    slow_copy,
)
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.embeddings import PixelStatistics
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.task import Task

_DRAWN = 10
"""Actions of each kind per state that stand for all actions, as published."""


class ConservativeQ(MarkovPolicy):
    """A soft actor-critic whose critics rate actions outside the data low.

    The log-sum-exp over actions is estimated with importance weights from uniform actions and from the policy's at
    this state and the next. The entropy's weight is learned; the critics' targets leave the entropy out (both as
    published). Critics and policy take their steps at once.
    """

    critics = ("q",)
    value_kind = "value"

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__(task, config, statistics)
        hidden = hidden_sizes(task, config)
        self.features = Features(task, config.markov.width, statistics, pixels)
        self.actor = SquashedGaussian(self.features.size, task.actions, hidden, config.value.log_std_offset)
        self.q = ActionValues(self.features.size, task.actions, hidden)
        self.log_temperature = nn.Parameter(torch.zeros(()))
        self.slow = slow_copy(self.q)

    def act(self, observations: Tensor) -> Tensor:
        return self.actor(self.features(observations))  # type: ignore[no-any-return]

    def predict_value(self, observations: Tensor) -> Tensor:
        features_NF = self.features(observations)
        return self.q(features_NF, self.actor(features_NF)).amin(0)  # type: ignore[no-any-return]

    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        features_BF = self.features(batch.observations, batch.shifts)
        action_BA, log_density_B = self.actor.draw(features_BF)
        temperature = self.log_temperature.exp().detach()
        with fixed(self.q):
            value_B = self.q(features_BF.detach(), action_BA).amin(0)
        target_entropy = -float(self.task.actions)
        q_2B = self.q(features_BF, batch.actions)
        with torch.no_grad():
            next_BF = self.features(batch.next_observations, batch.shifts)
            next_B = self.slow(next_BF, self.actor.draw(next_BF)[0]).amin(0)
            target_B = batch.rewards + self.value.discount * (1 - batch.terminated) * next_B
        gap = (self._soft_maximum(features_BF, next_BF) - q_2B).mean(1).sum()
        return {
            "critic": (q_2B - target_B).square().mean(1).sum(),
            "conservative": self.value.conservative_weight * gap,
            "policy": (temperature * log_density_B - value_B).mean(),
            "temperature": -self.log_temperature * (log_density_B.detach() + target_entropy).mean(),
        }

    def follow(self) -> None:
        move(self.slow, self.q, self.value.target_rate)

    def _soft_maximum(self, features_BF: Tensor, next_BF: Tensor) -> Tensor:
        """Return the log-sum-exp of the critics over actions, (2, B)."""
        wide_DBF = features_BF.expand(_DRAWN, *features_BF.shape)
        with torch.no_grad():
            uniform_DBA = 2 * torch.rand(_DRAWN, len(features_BF), self.task.actions, device=features_BF.device) - 1
            ours_DBA, ours_DB = self.actor.draw(wide_DBF)
            next_DBA, next_DB = self.actor.draw(next_BF.expand(_DRAWN, *next_BF.shape))
            uniform_DB = torch.full_like(ours_DB, -math.log(2) * self.task.actions)
            drawn_DBA = torch.cat([uniform_DBA, ours_DBA, next_DBA])
            density_DB = torch.cat([uniform_DB, ours_DB, next_DB])
        values_2DB = self.q(features_BF.expand(len(drawn_DBA), *features_BF.shape), drawn_DBA)
        return torch.logsumexp(values_2DB - density_DB, dim=1) - math.log(len(drawn_DBA))
