"""Value-based methods find what pays two steps later in data of random actions; imitation cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lamo_core.baselines import make
from lamo_core.baselines.bc import BehaviourCloning
from lamo_core.baselines.bcq import BatchConstrainedQ
from lamo_core.baselines.cql import ConservativeQ
from lamo_core.baselines.iql import ImplicitQ
from lamo_core.baselines.policy import MarkovPolicy, SquashedGaussian, fixed, move, slow_copy
from lamo_core.baselines.quantile_q import QuantileQ, quantile_huber
from lamo_core.baselines.td3_bc import Td3Bc
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.policy import PolicyStatistics
from lamo_core.settings.presets import resolve
from lamo_core.tasks.task import Simulation, Task

START, GOOD, BAD = np.eye(3, dtype=np.float32)


def _unplayed(*_: Any) -> Any:
    raise AssertionError("what is learned from data alone plays nothing")


def fork(kind: str) -> Task:
    """Return a task of two steps: the first action decides whether the second step pays, whatever it does."""
    return Task(
        "fork", "Fork", "vector", (3,), kind, 2 if kind == "discrete" else 1, ("left", "right"), 0.0, 1.0,
        simulation=Simulation(batch=_unplayed, rendered=_unplayed),
    )  # fmt: skip


def batch_of(kind: str, rng: np.random.Generator, size: int = 64) -> TransitionBatch:
    """Return random play: right (1, or anything above 0) leads to the state that pays."""
    first = rng.random(size) < 0.5
    actions = rng.integers(0, 2, size) if kind == "discrete" else rng.uniform(-1, 1, (size, 1)).astype(np.float32)
    right = actions.reshape(size) > 0
    states = np.where(first[:, None], START, np.where(right[:, None], GOOD, BAD))
    return TransitionBatch(
        observations=torch.from_numpy(states),
        actions=torch.from_numpy(actions),
        rewards=torch.from_numpy((~first & right).astype(np.float32)),
        next_observations=torch.from_numpy(np.where(right[:, None], GOOD, BAD)),
        terminated=torch.from_numpy((~first).astype(np.float32)),
    )


def second_state(batch: TransitionBatch) -> TransitionBatch:
    """Let the second step's reward depend on the state alone, as the fork says."""
    good = (batch.observations[:, 1] == 1).float()
    return TransitionBatch(
        batch.observations, batch.actions, good * batch.terminated, batch.next_observations, batch.terminated
    )


def train(policy: MarkovPolicy, kind: str, steps: int) -> torch.Tensor:
    """Train on random play; returns what the policy does at the start."""
    rng = np.random.default_rng(0)
    optimiser = torch.optim.Adam([p for p in policy.parameters() if p.requires_grad], lr=3e-3)
    for step in range(steps):
        losses = policy.losses(second_state(batch_of(kind, rng)), step)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        policy.follow()
    with torch.no_grad():
        return policy.act(torch.from_numpy(START)[None])[0]


def check_foretold(policy: MarkovPolicy) -> None:
    """The state that pays is worth about what it pays, the one that does not is worth less than the start."""
    with torch.inference_mode():
        told = policy.predict_value(torch.from_numpy(np.stack([BAD, START, GOOD])))
    assert policy.value_kind == "value"
    assert told is not None
    assert told.shape == (3,)
    bad, start, good = told.tolist()
    assert bad < start
    assert bad + 0.3 < good
    assert good == pytest.approx(1.0, abs=0.35)


def config_of(method: str, **value: float) -> RunConfig:
    values = {"target_rate": 0.05, "quantiles": 5, **value}
    return RunConfig.from_dict({"method": method, "markov": {"width": 32, "layers": 2}, "value": values})


@pytest.mark.parametrize("method", ["cql", "bcq", "nfq", "iql"])
def test_discrete_methods_turn_right(method: str) -> None:
    torch.manual_seed(0)
    kinds = {"iql": ImplicitQ}
    value = {"conservative_weight": 0.1, "temperature": 10.0, "epsilon": 0.1}
    policy = kinds.get(method, QuantileQ)(fork("discrete"), config_of(method, **value), PolicyStatistics(1.0, 2), None)
    right = float(train(policy, "discrete", 150).softmax(-1)[1])
    assert right > 0.9 if method != "iql" else right > 0.75
    if method != "iql":
        assert right == pytest.approx(0.95)  # all but half of epsilon
    check_foretold(policy)


@pytest.mark.parametrize(
    ("method", "kind"),
    [("cql", ConservativeQ), ("iql", ImplicitQ), ("td3+bc", Td3Bc), ("bcq", BatchConstrainedQ)],
)
def test_continuous_methods_turn_right(method: str, kind: type[MarkovPolicy]) -> None:
    torch.manual_seed(0)
    config = config_of(method, conservative_weight=0.1, temperature=10.0, perturbation=0.5)
    policy = kind(fork("continuous"), config, PolicyStatistics(1.0, 2), None)  # type: ignore[call-arg]
    assert float(train(policy, "continuous", 200)) > 0.15
    check_foretold(policy)


@pytest.mark.parametrize(
    ("method", "kind"),
    [(name, "discrete") for name in ("cql", "bcq", "nfq", "iql")]
    + [(name, "continuous") for name in ("cql", "bcq", "iql", "td3+bc")],
)
def test_values_go_on_after_every_step_but_an_end(method: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "task_of", lambda config: fork(kind))
    policy = make.make_markov_policy(config_of(method), PolicyStatistics(1.0, 2))
    batch = batch_of(kind, np.random.default_rng(0))

    def critic(terminated: float, after: torch.Tensor) -> float:
        torch.manual_seed(0)
        ends = torch.full_like(batch.terminated, terminated)
        losses = policy.losses(replace(batch, terminated=ends, next_observations=after), 0)
        return losses["critic"].item()

    elsewhere = batch.next_observations + 3
    assert critic(1.0, batch.next_observations) == critic(1.0, elsewhere)
    assert critic(0.0, batch.next_observations) != critic(0.0, elsewhere)


@pytest.mark.parametrize("kind", ["discrete", "continuous"])
def test_imitation_of_random_play_does_not(kind: str) -> None:
    torch.manual_seed(0)
    policy = BehaviourCloning(fork(kind), config_of("bc"), PolicyStatistics(1.0, 2), None)
    done = train(policy, kind, 200)
    if kind == "discrete":
        assert 0.3 < float(done.softmax(-1)[1]) < 0.7
    else:
        assert abs(float(done)) < 0.15


def test_td3_moves_policy_and_slow_copies_at_every_second_step() -> None:
    torch.manual_seed(0)
    config = resolve("mujoco-hopper-1pct", method="td3+bc").config
    policy = Td3Bc(fork("continuous"), config, PolicyStatistics(1.0, 2), None)
    batch, trained = batch_of("continuous", np.random.default_rng(0)), []
    for step in range(4):
        policy.zero_grad()
        torch.stack(list(policy.losses(batch, step).values())).sum().backward()
        trained.append(all(parameter.grad is not None for parameter in policy.actor.parameters()))
        assert all(parameter.grad is not None for parameter in policy.q.parameters())
    # the loop moves slow copies when the number of the step, counted from 1, is a multiple of `target_every`
    assert trained == [(step + 1) % config.value.target_every == 0 for step in range(4)] == [False, True, False, True]


def test_quantile_huber_is_minimal_at_the_quantiles() -> None:
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(rng.exponential(10, 4000).astype(np.float32))
    middles = torch.tensor([0.1, 0.5, 0.9])
    found = torch.zeros(1, 3, requires_grad=True)
    optimiser = torch.optim.Adam([found], lr=0.3)
    for _ in range(300):
        optimiser.zero_grad()
        quantile_huber(found, targets[None], middles).backward()
        optimiser.step()
    torch.testing.assert_close(found[0].detach(), torch.quantile(targets, middles), atol=0.7, rtol=0.05)


def test_densities_of_squashed_actions_integrate_to_one() -> None:
    torch.manual_seed(0)
    actor = SquashedGaussian(1, 1, [])
    actions, log_densities = actor.draw(torch.ones(200_000, 1))
    # the mean of 1 / density over a region's draws is the region's length
    inside = actions[:, 0].abs() < 0.5
    length = ((-log_densities.detach()).exp() * inside).mean()
    assert float(length) == pytest.approx(1.0, abs=0.03)
    with torch.no_grad():
        assert abs(float(actor(torch.ones(1, 1)))) < 1


def test_slow_copies_follow_and_fixed_modules_pass_gradients_through() -> None:
    fast = torch.nn.Linear(2, 1)
    slow = slow_copy(fast)
    before = slow.weight.clone()
    with torch.no_grad():
        fast.weight += 1
    move(slow, fast, 0.25)
    torch.testing.assert_close(slow.weight, before + 0.25)
    x = torch.ones(1, 2, requires_grad=True)
    with fixed(fast):
        out = fast(x)
    out.sum().backward()
    assert x.grad is not None
    assert fast.weight.grad is None
    assert fast.weight.requires_grad


def test_an_offset_of_log_deviations_draws_nearer_to_the_mean() -> None:
    features = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    spreads = []
    for offset in (0.0, -1.0):
        torch.manual_seed(0)
        actor = SquashedGaussian(3, 2, [8], offset)
        with torch.no_grad():
            for value in actor.layers[-1].parameters():  # a mean of 0 and a log deviation of 0
                value.zero_()
            drawn, density = actor.draw(features)
        spreads.append(float(torch.atanh(drawn).std()))
        expected = torch.distributions.Normal(0.0, float(np.exp(offset))).log_prob(torch.atanh(drawn)).sum(-1)
        assert torch.allclose(density, expected - torch.log1p(-drawn.square()).sum(-1), atol=1e-2)
    assert spreads == pytest.approx([1.0, float(np.exp(-1.0))], rel=0.03)
