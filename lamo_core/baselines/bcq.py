"""Batch-constrained Q-learning (Fujimoto et al. 2019), for continuous actions.

Shape suffixes: B batch, N rows, F features, A actions, Z latent dimensions, C candidates.
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

_TRAINING_CANDIDATES, _CANDIDATES = 10, 100
_PESSIMISM = 0.75
"""Share of the smaller critic in a target; the larger one has the rest."""
_LARGEST_LATENT = 0.5
"""All as published."""


class BatchConstrainedQ(MarkovPolicy):
    """A generator of actions like the data's, small corrections to them, and two critics that choose among them.

    The generator is a variational autoencoder with hidden layers twice as wide as the others. Acting uses a fixed set
    of latent vectors, drawn once, so that a policy decides the same whenever it is asked.
    """

    critics = ("q",)
    value_kind = "value"

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__(task, config, statistics)
        hidden = hidden_sizes(task, config)
        wide, latent = [2 * size for size in hidden], 2 * task.actions
        self.features = Features(task, config.markov.width, statistics, pixels)
        size = self.features.size
        self.encoder = network(size + task.actions, wide, 2 * latent)
        self.decoder = network(size + latent, wide, task.actions)
        self.correction = network(size + task.actions, hidden, task.actions)
        self.q = ActionValues(size, task.actions, hidden)
        self.slow_correction, self.slow_q = slow_copy(self.correction), slow_copy(self.q)
        self.register_buffer("latents", _latents(_CANDIDATES, latent, torch.device("cpu")))

    def act(self, observations: Tensor) -> Tensor:
        actions_CNA, values_CN = self._candidates(observations)
        best_N = values_CN.argmax(0)
        return actions_CNA[best_N, torch.arange(len(best_N), device=best_N.device)]

    def predict_value(self, observations: Tensor) -> Tensor:
        return self._candidates(observations)[1].amax(0)

    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        features_BF = self.features(batch.observations, batch.shifts)
        q_2B = self.q(features_BF, batch.actions)
        with torch.no_grad():
            latents_BZ = _latents(len(features_BF), self.get_buffer("latents").shape[1], features_BF.device)
            generated_BA = self._generated(features_BF, latents_BZ)
        with fixed(self.q):
            value_B = self.q(features_BF.detach(), self._corrected(self.correction, features_BF, generated_BA))[0]
        return {
            "critic": (q_2B - self._targets(batch)).square().mean(1).sum(),
            "imitation": self._imitation(features_BF, batch.actions),
            "policy": -value_B.mean(),
        }

    def follow(self) -> None:
        move(self.slow_q, self.q, self.value.target_rate)
        move(self.slow_correction, self.correction, self.value.target_rate)

    def _candidates(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the actions (C, N, A) that acting chooses among, and their values (C, N)."""
        features_NF = self.features(observations)
        features_CNF = features_NF.expand(_CANDIDATES, *features_NF.shape)
        latents_CNZ = self.get_buffer("latents")[:, None].expand(-1, len(features_NF), -1)
        actions_CNA = self._corrected(self.correction, features_CNF, self._generated(features_CNF, latents_CNZ))
        return actions_CNA, self.q(features_CNF, actions_CNA)[0]

    def _imitation(self, features_BF: Tensor, actions_BA: Tensor) -> Tensor:
        mean_BZ, log_std_BZ = self.encoder(torch.cat([features_BF, actions_BA], -1)).chunk(2, dim=-1)
        log_std_BZ = log_std_BZ.clamp(-4, 15)
        latents_BZ = mean_BZ + log_std_BZ.exp() * torch.randn_like(mean_BZ)
        rebuilt = nn.functional.mse_loss(self._generated(features_BF, latents_BZ), actions_BA)
        divergence: Tensor = -0.5 * (1 + 2 * log_std_BZ - mean_BZ**2 - (2 * log_std_BZ).exp()).mean()
        return rebuilt + 0.5 * divergence

    @torch.no_grad()
    def _targets(self, batch: TransitionBatch) -> Tensor:
        next_BF = self.features(batch.next_observations, batch.shifts)
        next_CBF = next_BF.expand(_TRAINING_CANDIDATES, *next_BF.shape)
        latents = _latents(next_CBF[..., 0].numel(), self.get_buffer("latents").shape[1], next_BF.device)
        generated_CBA = self._generated(next_CBF, latents.view(*next_CBF.shape[:2], -1))
        values_2CB = self.slow_q(next_CBF, self._corrected(self.slow_correction, next_CBF, generated_CBA))
        chosen_B: Tensor = (_PESSIMISM * values_2CB.amin(0) + (1 - _PESSIMISM) * values_2CB.amax(0)).amax(0)
        return batch.rewards + self.value.discount * (1 - batch.terminated) * chosen_B

    def _generated(self, features_NF: Tensor, latents_NZ: Tensor) -> Tensor:
        return torch.tanh(self.decoder(torch.cat([features_NF, latents_NZ], -1)))

    def _corrected(self, correction: nn.Module, features_NF: Tensor, actions_NA: Tensor) -> Tensor:
        moved_NA = torch.tanh(correction(torch.cat([features_NF, actions_NA], -1)))
        return (actions_NA + self.value.perturbation * moved_NA).clamp(-1, 1)


def _latents(count: int, size: int, device: torch.device) -> Tensor:
    return torch.randn(count, size, device=device).clamp(-_LARGEST_LATENT, _LARGEST_LATENT)
