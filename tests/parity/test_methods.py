"""An update of a value-based method has the losses and gradients of published code, as `make_methods` wrote down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from lamo_core.baselines.iql import ImplicitQ
from lamo_core.baselines.make import make_markov_policy
from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.baselines.quantile_q import QuantileQ
from lamo_core.config import RunConfig
from lamo_core.data.transitions import TransitionBatch
from lamo_core.model.policy import PolicyStatistics
from lamo_core.settings.presets import resolve
from lamo_core.tasks.task import Simulation, Task
from tests.parity import inputs
from tests.parity.fixed_noise import noise, uniform

UPDATING_THE_POLICY = 1
"""The number of a step in which TD3+BC trains its policy."""


def _unplayed(*_: Any) -> Any:
    raise AssertionError("one update plays nothing")


GAME = Task(
    "game", "Game", "vector", (inputs.OBSERVED,), "discrete", inputs.GAME_ACTIONS, ("a", "b", "c", "d"), 0.0, 1.0,
    simulation=Simulation(batch=_unplayed, rendered=_unplayed),
)  # fmt: skip


@contextmanager
def fixed_draws() -> Iterator[None]:
    """Draw the fixed numbers that published code drew; lamo has candidates before rows."""

    def candidates_first(shape: tuple[int, ...], drawn: Tensor) -> Tensor:
        return drawn[0] if shape == drawn.shape[1:] else drawn.reshape(shape)

    def normal(*shape: int, **_: Any) -> Tensor:
        return candidates_first(shape, noise(shape[-1]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn", normal)
        patch.setattr(torch, "randn_like", lambda like: normal(*like.shape))
        patch.setattr(torch, "rand", lambda *shape, **_: candidates_first(shape, uniform(shape[-1])) / 2 + 0.5)
        yield


def statistics() -> PolicyStatistics:
    mean, spread = (tuple(numbers.tolist()) for numbers in inputs.state_statistics())
    return PolicyStatistics(1.0, 1000, mean, spread)


def continuous(method: str) -> MarkovPolicy:
    """Return a method as lamo's own presets set it."""
    return make_markov_policy(resolve("mujoco-hopper-1pct", method=method).config, statistics())


def discrete(method: str, quantiles: int) -> MarkovPolicy:
    value = {"quantiles": quantiles, "conservative_weight": 1.0}
    config = RunConfig.from_dict({"method": method, "value": value})
    return (ImplicitQ if method == "iql" else QuantileQ)(GAME, config, statistics(), None)


def updated(policy: MarkovPolicy, *, discrete: bool = False) -> dict[str, float]:
    """Return the losses of an update of a policy with the numbers that published code had; leaves its gradients."""
    inputs.fill(policy.named_parameters(), inputs.GAIN)
    batch = TransitionBatch(**inputs.transitions(discrete=discrete))
    with fixed_draws():
        losses = policy.losses(batch, UPDATING_THE_POLICY)
    torch.stack(list(losses.values())).sum().backward()
    return {name: loss.item() for name, loss in losses.items()}


def check_gradients(policy: MarkovPolicy, expected: Mapping[str, list[float]]) -> None:
    found = {key: inputs.fingerprint(key, p.grad) for key, p in policy.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    for key, (length, product) in expected.items():
        assert found[key] == pytest.approx([length, product], rel=1e-4, abs=1e-4 * length), key


@pytest.mark.parametrize("method", ["cql", "iql", "td3+bc", "bcq"])
def test_an_update_of_continuous_actions_is_the_published_one(method: str) -> None:
    expected = inputs.read_numbers(f"method-{method.replace('+', '-')}")
    policy = continuous(method)
    losses = updated(policy)
    assert losses == pytest.approx({name: expected["losses"][name] for name in losses}, rel=2e-5)
    assert set(expected["losses"]) - set(losses) <= {"critic + conservative"}
    check_gradients(policy, expected["gradients"])


def test_discrete_bcq_of_one_quantile_is_the_published_one() -> None:
    expected = inputs.read_numbers("method-bcq-discrete")
    policy = discrete("bcq", 1)
    losses = updated(policy, discrete=True)
    # the quantile Huber loss weighs both sides of a median by a half
    total = 2 * losses["critic"] + losses["imitation"]
    assert total == pytest.approx(expected["losses"]["twice critic + imitation"], rel=1e-5)
    for name, parameter in policy.named_parameters():
        if ".head." in name and parameter.grad is not None:
            parameter.grad *= 2
    check_gradients(policy, expected["gradients"])


@pytest.mark.parametrize("method", ["cql", "bcq", "nfq", "iql"])
def test_an_update_of_discrete_actions_is_what_loops_give(method: str) -> None:
    losses = updated(discrete(method, 5), discrete=True)
    assert losses == pytest.approx(inputs.read_numbers("methods-discrete")[method], rel=1e-5)
