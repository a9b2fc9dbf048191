"""Training of a sequence policy: windows, micro-batches, and the language model's own loss beside them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lamo_core.config import RunConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.held_out import LEAST_EPISODES, Segments, split, whole
from lamo_core.data.windows import WindowBatch, WindowSampler
from lamo_core.evaluation.metrics import CONSTANT_LOSS, UNSEEN_LOSS
from lamo_core.language.blocks import TokenBlocks
from lamo_core.model.backbone import next_token_loss
from lamo_core.model.extras.alignment import share_left
from lamo_core.model.extras.word_actions import WordActions
from lamo_core.model.policy import Policy
from lamo_core.scalars import scalar
from lamo_core.training.constant_loss import constant_loss
from lamo_core.training.device import resolve_precision
from lamo_core.training.learner import Lap, Pending, StepLosses
from lamo_core.training.micro_batches import micro_batch_size
from lamo_core.training.optimiser import build_optimiser
from lamo_core.training.prefetch import Prefetcher, worth_prefetching
from lamo_core.training.streams import numpy_stream

MOST_UNSEEN, LEAST_UNSEEN = 128, 16
"""Windows of unseen episodes that are measured, the same ones at every evaluation."""
_HELD_OUT = 64
"""Windows of what is held out of the training data; they choose a step, so evaluations do not change their number."""
_UNSEEN_SHARE = 0.02
"""Of the time that training takes from one evaluation to the next."""
_LANGUAGE = "language"
"""The language model's own loss among the terms of a step."""
_TRAINING = 3
"""How many times as long as reading a window training on it takes: forward, and two products for each one backward."""


class SequenceLearner:
    """Trains a `Policy`: LaMo, Decision Transformer and Wiki-RL, which differ in their settings alone."""

    def __init__(
        self,
        config: RunConfig,
        policy: Policy,
        adapted: Iterable[str],
        blocks: TokenBlocks | None,
        store: EpisodeStore,
        device: torch.device,
        unseen: EpisodeStore | None = None,
    ) -> None:
        """`adapted` are the names of the trunk's trained tensors, `blocks` the texts of the language loss."""
        self.policy, self.blocks, self.device = policy, blocks, device
        self.dtype = resolve_precision(config.precision, device)
        self.backbone = (policy.backbone.name, policy.backbone.content_hash)
        self._episodes = len(store.lengths)
        trained, held_out = whole(store.lengths), None
        if config.checkpoint.best == "held-out":
            trained, held_out = split(store.lengths, np.arange(len(store.lengths)), config.seed)
        self.sampler: WindowSampler | Prefetcher = _sampler(
            config, policy, store, "windows", trained, frame_shift=config.data.frame_shift
        )
        if worth_prefetching(device):
            self.sampler = Prefetcher(self.sampler, pinned=device.type == "cuda")
        self._unseen: WindowBatch | None = None
        if unseen is not None:
            sampler = _sampler(config, policy, unseen, "unseen windows", whole(unseen.lengths), frame_shift=0)
            self._unseen = sampler.sample(unseen_windows(config))
        self._held_out: WindowBatch | None = None
        if held_out is not None:
            sampler = _sampler(config, policy, store, "held-out windows", held_out, frame_shift=0)
            self._held_out = sampler.sample(_HELD_OUT)
        self._actions_N = store.actions[trained.of_steps(store.lengths)]
        rate = config.optim.adapter_learning_rate
        self.optimiser = build_optimiser(policy, adapted, config.optim, rate=rate, labels=("embeddings", "trunk"))

    @property
    def holds_out(self) -> bool:
        return self._held_out is not None

    @property
    def holds_tails(self) -> bool:
        return self.holds_out and self._episodes < LEAST_EPISODES

    def backward(self, config: RunConfig, step: int, lap: Lap) -> Pending:
        batch = self.sampler.sample(config.optim.batch_size)
        lap("data")
        count, weights = int(batch.mask.sum()), self._weights(config, step)
        terms = self._backward_decision(config, batch, weights, count)
        language = self._backward_language(config)
        if language is not None:
            terms[_LANGUAGE] = language
        lap("model")

        def told(values: Mapping[str, float]) -> StepLosses:
            parts = {name: value / count for name, value in values.items() if name != _LANGUAGE}
            spoken = values.get(_LANGUAGE)
            total = sum(weights[name] * value for name, value in parts.items())
            total += config.language.weight * (spoken or 0.0)
            return StepLosses(total, decision=parts.pop("decision"), language=spoken, parts=parts)

        return Pending(terms, told)

    def metrics(self, config: RunConfig) -> dict[str, float]:
        found = {UNSEEN_LOSS: self._loss_on(self._unseen, config), CONSTANT_LOSS: self._constant_loss()}
        return {name: value for name, value in found.items() if value is not None}

    def held_out_loss(self, config: RunConfig) -> float | None:
        return self._loss_on(self._held_out, config)

    def _constant_loss(self) -> float | None:
        batch = self._unseen or self._held_out
        if batch is None or isinstance(self.policy.embed_action, WordActions):  # bins of actions are another loss
            return None
        return constant_loss(self._actions_N, batch.actions[batch.mask], self.policy.task.actions)

    def _loss_on(self, batch: WindowBatch | None, config: RunConfig) -> float | None:
        if batch is None:
            return None
        total, size = 0.0, self._at_once(config)
        with torch.inference_mode(), self._precision():
            for start in range(0, len(batch.mask), size):
                total += float(self.policy.imitation_loss(_part(batch, slice(start, start + size), self.device)))
        return total / int(batch.mask.sum())

    def settle(self, config: RunConfig, step: int) -> None:
        if step % config.value.target_every == 0:
            self.policy.follow()

    def state_dict(self) -> dict[str, Any]:
        return {
            "sampler": self.sampler.state_dict(),
            "blocks": self.blocks.state_dict() if self.blocks else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.sampler.load_state_dict(state["sampler"])
        if self.blocks and state["blocks"] is not None:
            self.blocks.load_state_dict(state["blocks"])

    def _weights(self, config: RunConfig, step: int) -> dict[str, float]:
        """Return the weight of every term that a policy may have."""
        aligned = config.alignment.weight * share_left(step, config.alignment.steps)
        return {"decision": 1.0, "maximum": 1.0, "critic": 1.0, "q": config.model.q_weight, "alignment": aligned}

    def _backward_decision(
        self, config: RunConfig, batch: WindowBatch, weights: Mapping[str, float], count: int
    ) -> dict[str, Tensor]:
        """Accumulate the gradient of the mean losses over all `count` real steps of the batch, micro-batch by
        micro-batch; returns the losses' sums."""
        size = self._at_once(config)
        sums: dict[str, Tensor] = {}
        for start in range(0, len(batch.mask), size):
            micro = _part(batch, slice(start, start + size), self.device)
            with self._precision():
                found = self.policy.losses(micro)
            # as products, not by `grad_tensors`, which import sympy
            shares = [term * scalar(weights[name] / count, term.dtype, term.device) for name, term in found.items()]
            functools.reduce(torch.add, shares).backward()  # type: ignore[no-untyped-call]
            for name, term in found.items():
                sums[name] = sums[name] + term.detach() if name in sums else term.detach()
        return sums

    def _backward_language(self, config: RunConfig) -> Tensor | None:
        if self.blocks is None:
            return None
        ids_BT = self.blocks.sample().to(self.device)
        with self._precision():
            loss = next_token_loss(self.policy.backbone, ids_BT)
        (config.language.weight * loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _at_once(self, config: RunConfig) -> int:
        return micro_batch_size(config, self.policy.width, self.device.type)

    def _precision(self) -> torch.autocast | nullcontext[None]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def unseen_windows(config: RunConfig) -> int:
    """Return on how many windows of unseen episodes an evaluation measures the loss: fewer where they come often."""
    steps = min(config.eval.every or config.optim.steps, config.optim.steps)
    affordable = int(_UNSEEN_SHARE * _TRAINING * config.optim.batch_size * steps)
    return max(LEAST_UNSEEN, min(MOST_UNSEEN, affordable))


def _sampler(
    config: RunConfig, policy: Policy, store: EpisodeStore, stream: str, segments: Segments, *, frame_shift: int
) -> WindowSampler:
    return WindowSampler(
        store,
        context=config.model.context,
        return_to_go=config.model.return_to_go,
        rewards=config.data.rewards,
        return_scale=policy.return_scale,
        frame_shift=frame_shift,
        generator=numpy_stream(config.seed, stream),
        values=config.model.q_weight > 0,
        windows=config.data.windows,
        segments=segments,
    )


def _part(batch: WindowBatch, rows: slice, device: torch.device) -> WindowBatch:
    if device == batch.mask.device and rows.start == 0 and rows.stop >= len(batch.mask):
        return batch
    parts: dict[str, Tensor] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if value is not None:
            parts[field.name] = value[rows].to(device, non_blocking=True)
    return replace(batch, **parts)
