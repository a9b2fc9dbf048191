"""Small heads that learn values from a policy's state embeddings: a Q term, and the largest return to ask for.

They read the embedding of a state, not the trunk's output: that has seen the return-to-go, which gives the outcome
away. They do not shape the embedding either (it is cut off from their gradients).

Shape suffixes: B batch, K steps, D width, A actions.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lamo_core.config import ValueConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.model.losses import real_steps, sum_of_real
from lamo_core.tasks.task import Task

_SCALE_RATE = 0.01
"""How fast the running size of values follows them."""


def _head(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, outputs))


def expectile_error(errors: Tensor, expectile: float) -> Tensor:
    """Return asymmetric squared errors whose minimum is an expectile; `errors` are target minus prediction."""
    return torch.where(errors > 0, expectile, 1 - expectile) * errors**2


class QTerm(nn.Module):
    """A critic beside the action loss that makes the policy prefer actions of higher value (QT, Hu et al. 2024).

    The critic is learned inside the data (implicit Q-learning, Kostrikov et al. 2022), so that it never has to value
    actions which the data lack. The policy's term is the expected value of its actions, in units of the critic's own
    running size, so that one weight fits all tasks.
    """

    scale: Tensor

    def __init__(self, task: Task, width: int, config: ValueConfig) -> None:
        super().__init__()
        self.config, self.discrete = config, task.action_kind == "discrete"
        inputs, outputs = (width, task.actions) if self.discrete else (width + task.actions, 1)
        self.q = nn.ModuleList(_head(inputs, width, outputs) for _ in range(2))
        self.v = _head(width, width, 1)
        self.slow = copy.deepcopy(self.q).requires_grad_(False)
        self.register_buffer("scale", torch.ones(()))
        self._seen = torch.ones(())

    def losses(self, states_BKD: Tensor, policy: Tensor, batch: WindowBatch) -> dict[str, Tensor]:
        """Return the sums over real steps of the critic's loss and of the policy's term.

        `policy` holds logits (B, K, A) of discrete actions or action values (B, K, A). A step counts for the critic
        when its next step lies in the window or the episode ended with it.
        """
        assert batch.rewards is not None
        assert batch.terminated is not None
        states_BKD = real_steps(states_BKD.detach().float(), batch.mask)
        v_BK = self.v(states_BKD).squeeze(-1)
        with torch.no_grad():
            held_BK = self._values(self.slow, states_BKD, batch.actions).amin(0)
            next_BK = torch.zeros_like(v_BK)
            next_BK[:, :-1] = v_BK[:, 1:]
            target_BK = batch.rewards + self.config.discount * (~batch.terminated) * next_BK
            followed_BK = torch.zeros_like(batch.mask)
            followed_BK[:, :-1] = batch.mask[:, 1:]
            known_BK = batch.mask & (followed_BK | batch.terminated)
            self._seen = sum_of_real(held_BK.abs(), batch.mask) / batch.mask.sum()
        q_2BK = self._values(self.q, states_BKD, batch.actions)
        value = sum_of_real(expectile_error(held_BK - v_BK, self.config.expectile), batch.mask)
        critic = sum_of_real((q_2BK - target_BK).square().sum(0), known_BK)
        expected_BK = self._expected(states_BKD, real_steps(policy.float(), batch.mask))
        return {"critic": value + critic, "q": -sum_of_real(expected_BK, batch.mask) / self.scale}

    def follow(self) -> None:
        """Move the slow critics, and the running size of values."""
        with torch.no_grad():
            for theirs, ours in zip(self.slow.parameters(), self.q.parameters(), strict=True):
                theirs.lerp_(ours, self.config.target_rate)
            self.scale.lerp_(self._seen.to(self.scale).clamp(min=1e-3), _SCALE_RATE)

    def _values(self, critics: nn.ModuleList, states_BKD: Tensor, actions: Tensor) -> Tensor:
        if self.discrete:
            chosen = actions.unsqueeze(-1)
            return torch.stack([critic(states_BKD).gather(-1, chosen).squeeze(-1) for critic in critics])
        joined = torch.cat([states_BKD, actions.float()], -1)
        return torch.stack([critic(joined).squeeze(-1) for critic in critics])

    def _expected(self, states_BKD: Tensor, policy: Tensor) -> Tensor:
        """Return the value (B, K) of what the policy does; gradients reach the policy alone."""
        if self.discrete:
            with torch.no_grad():
                values_BKA = torch.stack([critic(states_BKD) for critic in self.slow]).amin(0)
            return (policy.softmax(-1) * values_BKA).sum(-1)
        # as environments clip them: critics know nothing of actions outside, and would draw the policy there
        return self._values(self.slow, states_BKD, policy.clamp(-1, 1)).amin(0)


class MaximumReturn(nn.Module):
    """Predict the largest return-to-go that the data support at a state (Reinformer, Zhuang et al. 2024).

    It is an expectile near 1 of the data's return-to-go. Asking for it needs no target from a person and asks for
    nothing that the data never reached from there.
    """

    def __init__(self, width: int, expectile: float) -> None:
        super().__init__()
        self.expectile, self.head = expectile, _head(width, width, 1)

    def forward(self, states: Tensor) -> Tensor:
        """Return scaled returns-to-go (…) for state embeddings (…, D)."""
        return self.head(states.detach()).squeeze(-1)  # type: ignore[no-any-return]

    def loss(self, states_BKD: Tensor, batch: WindowBatch) -> Tensor:
        """Return the sum of the expectile loss over real steps."""
        errors_BK = batch.returns_to_go - self(states_BKD).float()
        return sum_of_real(expectile_error(errors_BK, self.expectile), batch.mask)
