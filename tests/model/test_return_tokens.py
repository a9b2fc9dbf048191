"""How a policy is told returns: as tokens of their own, within the states', or the newest one behind the trunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lamo_core.data.windows import WindowBatch
from lamo_core.evaluation.attention import watch_attention
from lamo_core.evaluation.attention_weights import Attention
from lamo_core.evaluation.contexts import make_context
from lamo_core.evaluation.decision_speed import tokens_per_decision
from lamo_core.model.policy import Policy
from tests.model.conftest import MakePolicy

FEWER = ("injected", "latest")


def opened(policy: Policy) -> Policy:
    """Let the newest return count, which it does not at first."""
    if policy.newest_return is not None:
        torch.manual_seed(2)
        for parameter in policy.newest_return.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return policy.eval()


def read(policy: Policy, batch: WindowBatch) -> torch.Tensor:
    with torch.no_grad():
        return policy(batch)


@pytest.mark.parametrize("kind", FEWER)
def test_two_tokens_of_three_remain(make_policy: MakePolicy, windows: WindowBatch, kind: str) -> None:
    policy, each = make_policy(return_tokens=kind), make_policy()
    lengths = {}
    for one in (policy, each):
        states = one.encode_windows(windows)
        lengths[one] = one.tokens(windows.returns_to_go, states, windows.actions, windows.timesteps).shape[1]
    assert (lengths[policy], lengths[each]) == (12, 18)
    assert policy(windows).shape == each(windows).shape
    assert tokens_per_decision(policy, "sliding") == 11
    assert tokens_per_decision(policy, "chunked") < 0.7 * tokens_per_decision(each, "chunked")


@pytest.mark.parametrize("kind", FEWER)
def test_the_return_counts(make_policy: MakePolicy, windows: WindowBatch, kind: str) -> None:
    policy = opened(make_policy(return_tokens=kind))
    other = replace(windows, returns_to_go=windows.returns_to_go + 1)
    assert not torch.allclose(read(policy, windows), read(policy, other), atol=1e-4)
    blind = opened(make_policy(return_tokens=kind, return_to_go="none"))
    torch.testing.assert_close(read(blind, windows), read(blind, other))


def test_the_latest_is_the_only_one_that_counts(make_policy: MakePolicy, windows: WindowBatch) -> None:
    changed = replace(windows, returns_to_go=windows.returns_to_go.clone())
    changed.returns_to_go[:, :-1] += 1
    differences = {}
    for kind in ("each", "injected", "latest"):
        policy = opened(make_policy(return_tokens=kind))
        differences[kind] = float((read(policy, windows) - read(policy, changed))[:, -1].abs().max())
    assert differences["latest"] == 0
    assert differences["each"] > 1e-5
    assert differences["injected"] > 1e-5


@pytest.mark.parametrize("kind", ["each", *FEWER])
def test_a_step_of_a_policy_that_is_trained_moves_all_that_it_is_told(
    make_policy: MakePolicy, windows: WindowBatch, kind: str
) -> None:
    policy = make_policy(return_tokens=kind)
    if policy.newest_return is not None:
        opened(policy).train()
    policy.losses(windows)["decision"].backward()
    moved = {
        name
        for name, parameter in policy.named_parameters()
        if name.startswith(("embed_return.", "newest_return.")) and parameter.grad is not None
    }
    assert moved == {name for name, _ in policy.named_parameters() if "_return." in name}
    assert moved


@pytest.mark.parametrize("kind", FEWER)
def test_where_it_looks_is_told_in_threes(make_policy: MakePolicy, windows: WindowBatch, kind: str) -> None:
    policy = opened(make_policy(return_tokens=kind))
    watch = watch_attention(policy)
    assert watch is not None
    context = make_context("chunked", policy)
    with torch.inference_mode():
        for step in range(3):
            frames = windows.observations[:1, step : step + 4]
            previous = windows.actions[:1, step - 1] if step else None
            context.decide(frames, windows.returns_to_go[:1, step], previous)
            found = watch.take()
            assert isinstance(found, Attention)
            assert found.mean_C3.shape == (step + 1, 3)
    assert found.heads_BHC3 is not None
    np.testing.assert_allclose(found.heads_BHC3.astype(float).sum((-1, -2)), 1, atol=5e-3)
    assert not found.mean_C3[:, 0].any()
    assert found.mean_C3[-1, 2] == 0
    assert found.mean_C3[:, 1].all()
