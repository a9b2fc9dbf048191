"""Training of a policy without memory: batches of transitions, and losses that the method adds up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.config import RunConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.held_out import LEAST_EPISODES, Segments, split, whole
from lamo_core.data.transitions import TransitionBatch, TransitionSampler, chosen_episodes, scaled_rewards
from lamo_core.evaluation.metrics import CONSTANT_LOSS, UNSEEN_LOSS
from lamo_core.methods import METHODS
from lamo_core.training.constant_loss import constant_loss
from lamo_core.training.learner import Lap, Pending, StepLosses
from lamo_core.training.optimiser import build_optimiser
from lamo_core.training.streams import numpy_stream

_UNSEEN_BATCHES, _UNSEEN_SIZE = 8, 128
"""Of transitions of unseen episodes, and of held-out steps, the same ones at every evaluation."""


class MarkovLearner:
    """Trains a `MarkovPolicy`; always in float32, since values learned from their own guesses bear no rounding."""

    backbone = ("none", "")
    dtype = torch.float32

    def __init__(
        self,
        config: RunConfig,
        policy: MarkovPolicy,
        store: EpisodeStore,
        device: torch.device,
        unseen: EpisodeStore | None = None,
    ) -> None:
        self.policy, self.device = policy, device
        if device.type == "cpu" and policy.task.observation == "vector":
            # handing such small products to a second thread costs up to ten times what it saves, on a busy machine
            torch.set_num_threads(1)
        returns_E = store.returns(config.data.rewards)
        episodes = chosen_episodes(returns_E, config.markov.filter, config.markov.share, config.markov.least_episodes)
        self._episodes = len(episodes)
        trained, held_out = None, None
        if config.checkpoint.best == "held-out" and not METHODS[config.method].values:
            trained, held_out = split(store.lengths, episodes, config.seed)
        self.sampler = TransitionSampler(
            store,
            rewards_N=scaled_rewards(store, config.data.rewards, config.value.rewards),
            episodes=episodes,
            frame_shift=config.data.frame_shift,
            generator=numpy_stream(config.seed, "transitions"),
            segments=trained,
        )
        self._unseen = (
            None if unseen is None else _measured(config, unseen, whole(unseen.lengths), "unseen transitions")
        )
        self._held_out = None if held_out is None else _measured(config, store, held_out, "held-out transitions")
        self._actions_N = store.actions[self.sampler.steps]
        critics = [name for name, _ in policy.named_parameters() if name.partition(".")[0] in policy.critics]
        self.optimiser = build_optimiser(
            policy, critics, config.optim, rate=config.value.learning_rate, labels=("policy", "critic")
        )

    @property
    def holds_out(self) -> bool:
        return self._held_out is not None

    @property
    def holds_tails(self) -> bool:
        return self.holds_out and self._episodes < LEAST_EPISODES

    def backward(self, config: RunConfig, step: int, lap: Lap) -> Pending:
        batch = self.sampler.sample(config.optim.batch_size)
        lap("data")
        losses = self.policy.losses(batch.to(self.device), step)
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        lap("model")
        return Pending({name: loss.detach() for name, loss in losses.items()}, _told)

    def metrics(self, config: RunConfig) -> dict[str, float]:
        found = {UNSEEN_LOSS: self._loss_on(self._unseen), CONSTANT_LOSS: self._constant_loss()}
        return {name: value for name, value in found.items() if value is not None}

    def held_out_loss(self, config: RunConfig) -> float | None:
        return self._loss_on(self._held_out)

    def _constant_loss(self) -> float | None:
        batches = self._unseen or self._held_out
        if batches is None:
            return None
        return constant_loss(self._actions_N, torch.cat([batch.actions for batch in batches]), self.policy.task.actions)

    def _loss_on(self, batches: list[TransitionBatch] | None) -> float | None:
        if batches is None:
            return None
        with torch.no_grad():
            losses = [self._imitation(part) for part in batches]
        return sum(losses) / len(losses)

    def _imitation(self, batch: TransitionBatch) -> float:
        """Return the error on the data's actions, which for most methods is not what they are trained on."""
        batch = batch.to(self.device)
        acted = self.policy.act(batch.observations)
        loss = nn.functional.cross_entropy if self.policy.discrete else nn.functional.mse_loss
        return float(loss(acted, batch.actions))

    def settle(self, config: RunConfig, step: int) -> None:
        if step % config.value.target_every == 0:
            self.policy.follow()

    def state_dict(self) -> dict[str, Any]:
        return {"sampler": self.sampler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.sampler.load_state_dict(state["sampler"])


def _told(values: Mapping[str, float]) -> StepLosses:
    total, parts = sum(values.values()), dict(values)
    return StepLosses(total, decision=parts.pop("policy", total), parts=parts)


def _measured(config: RunConfig, store: EpisodeStore, segments: Segments, stream: str) -> list[TransitionBatch]:
    sampler = TransitionSampler(
        store,
        rewards_N=store.rewards_of(config.data.rewards),
        episodes=np.arange(len(store.lengths)),
        frame_shift=0,
        generator=numpy_stream(config.seed, stream),
        segments=segments,
    )
    return [sampler.sample(_UNSEEN_SIZE) for _ in range(_UNSEEN_BATCHES)]
