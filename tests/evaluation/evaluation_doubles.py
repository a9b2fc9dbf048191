"""Small stand-ins for tests of evaluation: a tiny policy with random weights and a counting environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lamo_core.config import ModelConfig, ReturnTokens, TaskConfig
from lamo_core.model.backbone import Backbone
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.tasks.task import Simulation, Task

FEATURES = 3
ACTIONS = 4


def _unplayed(*_: Any) -> Any:
    raise AssertionError("tests play this task in `CounterBatch`")


def counter_task(action_kind: str = "discrete") -> Task:
    return Task(
        name="counter",
        title="Counter",
        observation="vector",
        observation_shape=(FEATURES,),
        action_kind=action_kind,
        actions=ACTIONS,
        action_names=tuple("abcd"),
        random_score=0.0,
        expert_score=10.0,
        simulation=Simulation(batch=_unplayed, rendered=_unplayed),
    )


def tiny_backbone(tokens: int) -> Backbone:
    """Return a random two-layer GPT-2 of width 16 that takes exactly `tokens` tokens."""
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(vocab_size=8, n_positions=tokens, n_embd=16, n_layer=2, n_head=2)
    trunk = GPT2Model(config)
    torch.manual_seed(0)  # how many numbers were drawn for it so far is the library's business
    for parameter in trunk.parameters():
        nn.init.normal_(parameter, std=0.3)  # far from the small default, so that attention matters
    return Backbone("tiny", "", trunk, "gpt2", width=16, layers=2, positions=tokens)


class TinyPolicy(Policy):
    """A policy over `tiny_backbone` that counts the observations it encodes."""

    def __init__(
        self,
        *,
        context: int = 6,
        trunk_positions: bool = True,
        action_kind: str = "discrete",
        return_tokens: ReturnTokens = "each",
    ) -> None:
        torch.manual_seed(0)
        config = ModelConfig(context=context, trunk_positions=trunk_positions, return_tokens=return_tokens)
        statistics = PolicyStatistics(return_scale=5.0, max_timestep=12)
        super().__init__(counter_task(action_kind), tiny_backbone(3 * context), config, statistics)
        last = self.head.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1.0)
        self.last_layer = last
        if self.newest_return is not None:  # it would change nothing at first
            for parameter in self.newest_return.parameters():
                nn.init.normal_(parameter)
        self.encoded = 0

    def encode_observations(self, observations: Tensor) -> Tensor:
        self.encoded += len(observations)
        return super().encode_observations(observations)


class CounterBatch:
    """Episodes of known lengths: seed s lasts 3 + s % 17 decisions and pays action + 1 (or the action's sum).

    Odd seeds are truncated at their end, even ones terminated. Seed s makes s % 3 no-ops. A finished episode
    keeps paying -1000, which a roll-out must not count.
    """

    def __init__(self, config: TaskConfig, size: int) -> None:
        self.size, self.closed, self.received = size, False, []
        self.seeds = self.steps = np.zeros(size, np.int64)

    def reset(self, seeds: np.ndarray) -> np.ndarray:
        self.seeds, self.steps = seeds.copy(), np.zeros(self.size, np.int64)
        return self._observe()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        self.received.append(actions.copy())
        lengths = self.lengths()
        paid = actions.astype(np.float64).reshape(self.size, -1).sum(1) + 1.0
        rewards = np.where(self.steps >= lengths, -1000.0, paid)
        self.steps = np.minimum(self.steps + 1, lengths)
        over = self.steps >= lengths
        return self._observe(), rewards, over & (self.seeds % 2 == 0), over & (self.seeds % 2 == 1)

    def noops(self) -> np.ndarray:
        return self.seeds % 3

    def lengths(self) -> np.ndarray:
        return 3 + self.seeds % 17

    def close(self) -> None:
        self.closed = True

    def _observe(self) -> np.ndarray:
        waves = np.sin(self.steps[:, None] * np.arange(1, FEATURES + 1) + self.seeds[:, None])
        return waves.astype(np.float32)
