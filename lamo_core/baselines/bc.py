"""Behaviour cloning, plain or of the best episodes (percentile behaviour cloning, Chen et al. 2021).

Which episodes it is shown is decided by `markov.filter`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lamo_core.baselines.policy import Features, MarkovPolicy, hidden_sizes, network
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.embeddings import PixelStatistics
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.task import Task


class BehaviourCloning(MarkovPolicy):
    """Imitate the data's actions: cross-entropy for discrete ones, squared error for continuous ones."""

    def __init__(
        self, task: Task, config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None
    ) -> None:
        super().__init__(task, config, statistics)
        self.features = Features(task, config.markov.width, statistics, pixels)
        self.actor = network(self.features.size, hidden_sizes(task, config), task.actions)

    def act(self, observations: Tensor) -> Tensor:
        return self._read(self.features(observations))

    def losses(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        read = self._read(self.features(batch.observations, batch.shifts))
        if self.discrete:
            return {"policy": nn.functional.cross_entropy(read, batch.actions)}
        return {"policy": nn.functional.mse_loss(read, batch.actions)}

    def _read(self, features_NF: Tensor) -> Tensor:
        read_NA = self.actor(features_NF)
        return read_NA if self.discrete else torch.tanh(read_NA)
