"""Small stand-ins for tests of evaluation: a tiny policy with random weights and a counting environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from lamo_core.tasks.registry import Task
from torch import Tensor, nn

from lamo_core.config import TaskConfig

FEATURES = 3
ACTIONS = 4


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
        default_set="counter",
    )


class TinyPolicy(nn.Module):
    """The primitives of a policy over a random two-layer GPT-2 of width 16."""

    def __init__(
        self, *, context: int = 6, trunk_positions: bool = True, action_kind: str = "discrete"
    ) -> None:
        super().__init__()
        from transformers import GPT2Config, GPT2Model

        torch.manual_seed(0)
        self.task = counter_task(action_kind)
        self.context, self.width, self.return_scale = context, 16, 5.0
        config = GPT2Config(vocab_size=8, n_positions=3 * context, n_embd=16, n_layer=2, n_head=2)
        self.trunk = GPT2Model(config)
        for parameter in self.trunk.parameters():
            nn.init.normal_(parameter, std=0.3)  # far from the small default, so that attention matters
        self.trunk_positions = trunk_positions
        self.state, self.return_ = nn.Linear(FEATURES, 16), nn.Linear(1, 16)
        discrete = action_kind == "discrete"
        self.action: nn.Module = nn.Embedding(ACTIONS, 16) if discrete else nn.Linear(ACTIONS, 16)
        self.time = nn.Embedding(50, 16)
        self.head = nn.Linear(16, ACTIONS)
        self.encoded = 0

    def encode_observations(self, observations: Tensor) -> Tensor:
        self.encoded += len(observations)
        return self.state(observations)

    def tokens(
        self, returns_NT: Tensor, states_NTD: Tensor, actions: Tensor | None, timesteps_NT: Tensor
    ) -> Tensor:
        time_NTD = self.time(timesteps_NT.clamp(max=49))
        known = 0 if actions is None else actions.shape[1]
        tokens = [
            self.return_(returns_NT[..., None]) + time_NTD,
            states_NTD + time_NTD,
            torch.zeros_like(states_NTD),
        ]
        if actions is not None and known:
            tokens[2][:, :known] = self.action(actions) + time_NTD[:, :known]
        tokens_NLD = torch.stack(tokens, dim=2).flatten(1, 2)
        return tokens_NLD if known == returns_NT.shape[1] else tokens_NLD[:, :-1]

    def action_tokens(self, actions_N: Tensor, timesteps_N: Tensor) -> Tensor:
        return (self.action(actions_N) + self.time(timesteps_N.clamp(max=49))).unsqueeze(1)

    def run_trunk(
        self, tokens_NLD: Tensor, position: int = 0, cache: Any = None, use_cache: bool = False
    ) -> tuple[Tensor, Any]:
        positions_1L = torch.arange(position, position + tokens_NLD.shape[1])[None]
        if not self.trunk_positions:
            tokens_NLD = tokens_NLD - self.trunk.wpe(positions_1L)
        out = self.trunk(
            inputs_embeds=tokens_NLD, position_ids=positions_1L, past_key_values=cache, use_cache=use_cache
        )
        return out.last_hidden_state, out.past_key_values

    def act_head(self, hidden_ND: Tensor) -> Tensor:
        return 4.0 * self.head(hidden_ND)


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
