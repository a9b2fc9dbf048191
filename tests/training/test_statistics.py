"""What states are divided by: the floor that keeps still features from exploding, and the published way."""

from __future__ import annotations

import numpy as np
import torch

from lamo_core.model.policy import Policy
from lamo_core.training.session import new_session, state_spread
from tests.training.conftest import MakeConfig


def test_features_that_hardly_move_are_divided_by_a_share_of_the_largest_spread() -> None:
    deviations = np.array([2.0, 1.0, 0.5, 1e-6, 0.0])
    np.testing.assert_allclose(state_spread(deviations, floored=True), [2.0, 1.0, 0.5, 0.2, 0.2])
    np.testing.assert_allclose(state_spread(deviations, floored=False), deviations + 1e-6)


def test_data_that_do_not_move_at_all_are_left_as_they_are() -> None:
    np.testing.assert_array_equal(state_spread(np.zeros(3), floored=True), np.ones(3))


def test_an_episode_longer_than_all_of_the_data_meets_trained_timesteps_alone(make_config: MakeConfig) -> None:
    session = new_session(make_config())
    policy = session.policy
    assert isinstance(policy, Policy)
    assert policy.embed_time is not None
    batch = session.learner.sampler.sample(200)  # type: ignore[attr-defined]
    trained = set(batch.timesteps[batch.mask].tolist())
    returns, states = torch.zeros(1, 1), torch.zeros(1, 1, policy.width)
    for step in range(12):
        policy.zero_grad()
        policy.tokens(returns, states, None, torch.tensor([[step]])).square().sum().backward()
        used = policy.embed_time.weight.grad.any(-1).nonzero().flatten().tolist()  # type: ignore[union-attr]
        assert used == [min(step, 8)], "the longest episode has 9 steps"
        assert set(used) <= trained
