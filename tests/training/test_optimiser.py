"""Learning rates are pure functions of the step, and every parameter is in one group."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from lamo_core.config import OptimConfig
from lamo_core.errors import UsageError
from lamo_core.training.optimiser import build_optimiser, policy_multiplier, rate_multiplier, set_rates

OPTIM = OptimConfig(steps=100, warmup_steps=10, final_rate=0.1, learning_rate=1e-3, adapter_learning_rate=1e-4)


def test_warm_up_then_cosine_then_floor() -> None:
    rates = [rate_multiplier(step, OPTIM) for step in range(150)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == rates[149] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_the_published_schedule_swings_back_up() -> None:
    optim = replace(OPTIM, schedule="official-atari")
    tokens = 128 * 30 * 0.75
    rates = [rate_multiplier(step, optim, tokens) for step in range(100_000)]
    assert rates[0] == 0.0
    warmed = next(step for step, rate in enumerate(rates) if rate >= 1 - 1e-2)
    assert 450 < warmed < 560
    peaks = sum(
        1 for a, b, c in zip(rates[1_000:], rates[1_001:], rates[1_002:], strict=False) if a < b >= c and b > 0.99
    )
    assert 20 < peaks < 40


def test_groups_hold_every_trainable_parameter_once_and_none_is_empty() -> None:
    model = nn.ModuleDict(
        {"trunk": nn.Linear(4, 4), "table": nn.Embedding(3, 4), "norm": nn.LayerNorm(4), "frozen": nn.Linear(4, 4)}
    )
    model["frozen"].requires_grad_(False)
    optimiser = build_optimiser(model, ["trunk.weight", "trunk.bias"], OPTIM, rate=OPTIM.adapter_learning_rate)
    groups = {group["name"]: group for group in optimiser.param_groups}
    assert {name: len(group["params"]) for name, group in groups.items()} == {
        "trunk": 1,
        "trunk-no-decay": 1,
        "embeddings-no-decay": 3,
    }
    assert groups["trunk"]["lr"] == 1e-4
    assert groups["trunk"]["weight_decay"] == OPTIM.weight_decay
    assert groups["embeddings-no-decay"]["weight_decay"] == 0
    set_rates(optimiser, 0.5)
    assert math.isclose(groups["trunk"]["lr"], 5e-5)
    assert math.isclose(groups["embeddings-no-decay"]["lr"], 5e-4)


def test_nothing_trainable_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing is trainable"):
        build_optimiser(nn.Linear(2, 2).requires_grad_(False), [], OPTIM, rate=1e-3)


def test_epsilon_is_pytorchs_unless_it_is_set() -> None:
    def moved(epsilon: float) -> float:
        model = nn.Linear(1, 1, bias=False)
        before = model.weight.item()
        optim = replace(OPTIM, epsilon=epsilon, weight_decay=0.0)
        optimiser = build_optimiser(model, [], optim, rate=1e-4)
        assert {group["eps"] for group in optimiser.param_groups} == {epsilon}
        model.weight.grad = torch.full((1, 1), 1e-6)
        optimiser.step()
        return before - model.weight.item()

    assert OptimConfig().epsilon == torch.optim.AdamW([nn.Parameter(torch.zeros(1))]).defaults["eps"] == 1e-8
    # a gradient as large as epsilon halves the step
    assert moved(1e-6) == pytest.approx(0.5 * OPTIM.learning_rate, rel=1e-3)
    assert moved(1e-8) == pytest.approx(OPTIM.learning_rate / 1.01, rel=1e-3)


def test_a_policys_rate_falls_and_that_of_its_critics_stays() -> None:
    optim = OptimConfig(steps=100, warmup_steps=0, schedule="policy-cosine")
    assert [rate_multiplier(step, optim) for step in (0, 50, 99)] == [1.0] * 3
    assert [round(policy_multiplier(step, optim), 3) for step in (0, 50, 100)] == [1.0, 0.5, 0.0]
    assert policy_multiplier(50, replace(optim, schedule="cosine")) == 1.0
    model = nn.ModuleDict({"actor": nn.Linear(2, 2), "q": nn.Linear(2, 2)})
    made = build_optimiser(model, ["q.weight", "q.bias"], optim, rate=1.0, labels=("policy", "critic"))
    set_rates(made, 1.0, 0.25)
    rates = {str(group["name"]): group["lr"] / group["base_rate"] for group in made.param_groups}
    assert rates == {"policy": 0.25, "policy-no-decay": 0.25, "critic": 1.0, "critic-no-decay": 1.0}
