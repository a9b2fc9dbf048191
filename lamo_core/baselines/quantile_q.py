"""Discrete Q-learning offline: conservative (CQL), batch-constrained (BCQ) and fitted (NFQ), on quantile critics.

Shape suffixes: B batch, N rows, F features, A actions, M quantiles.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lamo_core.baselines.policy import Features, MarkovPolicy, hidden_sizes, move, network, slow_copy
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.embeddings import PixelStatistics
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.task import Task

_LOGIT_DECAY = 0.01
"""Weight of the imitator's squared logits in discrete BCQ (the authors' code)."""


class QuantileCritic(nn.Module):
    """Quantiles of the return of every action: observations to (N, A, M); for BCQ also imitation logits (N, A)."""

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__()
        hidden, self.shape = hidden_sizes(task, config), (task.actions, config.value.quantiles)
        self.features = Features(task, config.markov.width, statistics, pixels)
        self.head = network(self.features.size, hidden, math.prod(self.shape))
        self.imitator = network(self.features.size, hidden, task.actions) if config.method == "bcq" else None

    def forward(self, observations: Tensor, shifts_N2: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        features_NF = self.features(observations, shifts_N2)
        quantiles_NAM = self.head(features_NF).unflatten(-1, self.shape)
        return quantiles_NAM, self.imitator(features_NF) if self.imitator else None


class QuantileQ(MarkovPolicy):
    """Q-learning from data: `config.method` says what keeps it near them.

    `cql` pushes down the values of all actions against the one in the data (Kumar et al. 2020), `bcq` allows only
    actions that an imitator finds likely enough (Fujimoto et al. 2019), `nfq` does nothing (Riedmiller 2005). CQL and
    BCQ choose the next action with the learned critic and value it with the slow one (van Hasselt et al. 2016).
    """

    value_kind = "value"

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__(task, config, statistics)
        self.method = config.method
        self.critic = QuantileCritic(task, config, statistics, pixels)
        self.slow = slow_copy(self.critic)
        middles = (torch.arange(config.value.quantiles) + 0.5) / config.value.quantiles
        self.register_buffer("middles", middles, persistent=True)

    def act(self, observations: Tensor) -> Tensor:
        quantiles_NAM, imitation_NA = self.critic(observations)
        return self.epsilon_greedy(self._allowed(quantiles_NAM.mean(-1), imitation_NA))

    def predict_value(self, observations: Tensor) -> Tensor:
        quantiles_NAM, imitation_NA = self.critic(observations)
        return self._allowed(quantiles_NAM.mean(-1), imitation_NA).amax(-1)

    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        quantiles_BAM, imitation_BA = self.critic(batch.observations, batch.shifts)
        rows_B = torch.arange(len(batch.actions), device=batch.actions.device)
        taken_BM = quantiles_BAM[rows_B, batch.actions]
        losses = {"critic": quantile_huber(taken_BM, self._targets(batch), self.get_buffer("middles"))}
        if self.method == "cql":
            values_BA = quantiles_BAM.mean(-1)
            gap_B = values_BA.logsumexp(-1) - values_BA[rows_B, batch.actions]
            losses["conservative"] = self.value.conservative_weight * gap_B.mean()
        if imitation_BA is not None:
            decay = _LOGIT_DECAY * imitation_BA.square().mean()
            losses["imitation"] = nn.functional.cross_entropy(imitation_BA, batch.actions) + decay
        return losses

    def follow(self) -> None:
        move(self.slow, self.critic, self.value.target_rate)

    @torch.no_grad()
    def _targets(self, batch: TransitionBatch) -> Tensor:
        slow_BAM, _ = self.slow(batch.next_observations, batch.shifts)
        if self.method == "nfq":
            best_B = slow_BAM.mean(-1).argmax(-1)
        else:
            quantiles_BAM, imitation_BA = self.critic(batch.next_observations, batch.shifts)
            best_B = self._allowed(quantiles_BAM.mean(-1), imitation_BA).argmax(-1)
        next_BM: Tensor = slow_BAM[torch.arange(len(best_B), device=best_B.device), best_B]
        return batch.rewards[:, None] + self.value.discount * (1 - batch.terminated[:, None]) * next_BM

    def _allowed(self, values_NA: Tensor, imitation_NA: Tensor | None) -> Tensor:
        if imitation_NA is None:
            return values_NA
        relative_NA = (imitation_NA - imitation_NA.amax(-1, keepdim=True)).exp()
        return torch.where(relative_NA >= self.value.flexibility, values_NA, -torch.inf)


def quantile_huber(predicted_BM: Tensor, targets_BM: Tensor, middles_M: Tensor) -> Tensor:
    """Return the quantile Huber loss (Dabney et al. 2018): summed over quantiles, averaged over targets and rows."""
    errors_BMT = targets_BM[:, None, :] - predicted_BM[:, :, None]
    huber_BMT = nn.functional.huber_loss(errors_BMT, torch.zeros_like(errors_BMT), reduction="none")
    weights_BMT = (middles_M[None, :, None] - (errors_BMT < 0).to(errors_BMT.dtype)).abs()
    return (weights_BMT * huber_BMT).mean(-1).sum(-1).mean()
