"""TD3 with a behaviour-cloning term (Fujimoto & Gu 2021), for continuous actions.

Shape suffixes: B batch, F features, A actions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lamo_core.baselines.policy import (
    ActionValues,
    Features,
    MarkovPolicy,
    fixed,
    hidden_sizes,
    move,
    network,
    slow_copy,
)
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.embeddings import PixelStatistics
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.task import Task

_NOISE, _LARGEST_NOISE = 0.2, 0.5
_POLICY_EVERY = 2
"""Steps of the critics for one of the policy, the last of them (all three: Fujimoto et al. 2018)."""


class Td3Bc(MarkovPolicy):
    """A deterministic policy that climbs the critic and stays near the data's actions.

    The policy's loss is divided by the mean value, so that one weight fits all tasks. Critic and policy take their
    steps at once; published code updates the critic just before.
    """

    critics = ("q",)
    value_kind = "value"

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__(task, config, statistics)
        hidden = hidden_sizes(task, config)
        self.features = Features(task, config.markov.width, statistics, pixels)
        self.actor = network(self.features.size, hidden, task.actions)
        self.q = ActionValues(self.features.size, task.actions, hidden)
        self.slow_actor, self.slow_q = slow_copy(self.actor), slow_copy(self.q)

    def act(self, observations: Tensor) -> Tensor:
        return torch.tanh(self.actor(self.features(observations)))

    def predict_value(self, observations: Tensor) -> Tensor:
        features_NF = self.features(observations)
        return self.q(features_NF, torch.tanh(self.actor(features_NF))).amin(0)  # type: ignore[no-any-return]

    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        features_BF = self.features(batch.observations, batch.shifts)
        q_2B = self.q(features_BF, batch.actions)
        # without a gradient the policy's loss is only shown, and its optimiser waits
        with fixed(self.q), torch.set_grad_enabled((step + 1) % _POLICY_EVERY == 0):
            action_BA = torch.tanh(self.actor(features_BF.detach()))
            value_B = self.q(features_BF.detach(), action_BA)[0]
            weight = self.value.behaviour_weight / value_B.abs().mean().detach().clamp(min=1e-6)
            policy = -weight * value_B.mean() + nn.functional.mse_loss(action_BA, batch.actions)
        return {"critic": (q_2B - self._targets(batch)).square().mean(1).sum(), "policy": policy}

    def follow(self) -> None:
        move(self.slow_q, self.q, self.value.target_rate)
        move(self.slow_actor, self.actor, self.value.target_rate)

    @torch.no_grad()
    def _targets(self, batch: TransitionBatch) -> Tensor:
        features_BF = self.features(batch.next_observations, batch.shifts)
        action_BA = torch.tanh(self.slow_actor(features_BF))
        noise_BA = (_NOISE * torch.randn_like(action_BA)).clamp(-_LARGEST_NOISE, _LARGEST_NOISE)
        next_B: Tensor = self.slow_q(features_BF, (action_BA + noise_BA).clamp(-1, 1)).amin(0)
        return batch.rewards + self.value.discount * (1 - batch.terminated) * next_B
