"""Both context modes against a plain re-encoding of the same steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lamo_core.evaluation.contexts import ChunkedContext, SlidingContext
from tests.evaluation.evaluation_doubles import ACTIONS, FEATURES, TinyPolicy

STEPS = 20
EPISODES = 5
LEAVING = {4: [0, 1, 3, 4], 9: [3, 1, 0], 15: [1]}
"""Which of the running episodes stay after a step; one list also changes their order."""


class History:
    """Everything that N episodes have seen, to be encoded again from scratch."""

    def __init__(self, policy: TinyPolicy) -> None:
        generator = torch.Generator().manual_seed(7)
        self.policy = policy
        self.observations = torch.randn(EPISODES, STEPS, FEATURES, generator=generator)
        self.returns = torch.randn(EPISODES, STEPS, generator=generator)
        self.actions = torch.randint(ACTIONS, (EPISODES, STEPS), generator=generator)
        if policy.task.action_kind == "continuous":
            self.actions = torch.randn(EPISODES, STEPS, ACTIONS, generator=generator)

    def encoded_again(self, rows: Tensor, step: int, held: int) -> Tensor:
        """Decide at `step` from the `held` newest steps, as in training: one window, positions from 0."""
        window = slice(step + 1 - held, step + 1)
        observations = self.observations[rows, window]
        states = self.policy.encode_observations(observations.flatten(0, 1)).unflatten(0, observations.shape[:2])
        times = torch.arange(STEPS)[window].expand(len(rows), -1)
        known = self.actions[rows, window][:, :-1]
        tokens = self.policy.tokens(self.returns[rows, window], states, known, times)
        hidden, _ = self.policy.run_trunk(tokens)
        return self.policy.act_head(hidden[:, -1], self.returns[rows, step])


def play(policy: TinyPolicy, context: SlidingContext | ChunkedContext, held_at: list[int]) -> None:
    history = History(policy)
    rows = torch.arange(EPISODES)
    with torch.inference_mode():
        for step in range(STEPS):
            before = history.actions[rows, step - 1] if step else None
            out = context.decide(history.observations[rows, step], history.returns[rows, step], before)
            expected = history.encoded_again(rows, step, held_at[step])
            torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)
            if step in LEAVING:
                stay = torch.tensor(LEAVING[step])
                rows = rows[stay]
                context.keep(stay)


def policies(context: int) -> list[TinyPolicy]:
    return [
        TinyPolicy(context=context),
        TinyPolicy(context=context, trunk_positions=False),
        TinyPolicy(context=context, action_kind="continuous"),
        TinyPolicy(context=context, return_tokens="injected"),
        TinyPolicy(context=context, return_tokens="latest"),
    ]


@pytest.mark.parametrize("size", [6, 5, 1])
def test_sliding_sees_exactly_the_last_k_steps(size: int) -> None:
    for policy in policies(size):
        play(policy.eval(), SlidingContext(policy), [min(step + 1, size) for step in range(STEPS)])


@pytest.mark.parametrize(("size", "cycle"), [(6, [3, 4, 5, 6]), (5, [2, 3, 4, 5]), (2, [1, 2]), (1, [1])], ids=str)
def test_chunked_sees_between_half_of_k_and_k_steps(size: int, cycle: list[int]) -> None:
    held = [*range(1, size + 1), *(cycle * STEPS)][:STEPS]
    for policy in policies(size):
        context = ChunkedContext(policy.eval())
        play(policy, context, held)
        assert context.held == held[-1]


def test_the_two_modes_differ_once_the_window_is_full() -> None:
    policy = TinyPolicy(context=6).eval()
    history = History(policy)
    full, half = history.encoded_again(torch.arange(5), 12, 6), history.encoded_again(torch.arange(5), 12, 3)
    assert (full - half).abs().max() > 0.1  # so a tolerance of 1e-5 above means something


@pytest.mark.parametrize("kind", [SlidingContext, ChunkedContext])
def test_every_observation_is_encoded_once(kind: type[SlidingContext] | type[ChunkedContext]) -> None:
    policy = TinyPolicy(context=4).eval()
    context = kind(policy)
    with torch.inference_mode():
        for step in range(11):
            context.decide(torch.zeros(3, FEATURES), torch.zeros(3), torch.zeros(3).long() if step else None)
    assert policy.encoded == 33
