"""Attention weights are those of the layer, and watching changes no output."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from lamo_core.config import ContextMode
from lamo_core.evaluation.attention import _newest_weights, watch_attention
from lamo_core.evaluation.contexts import make_context
from tests.evaluation.evaluation_doubles import FEATURES, TinyPolicy


def decide(policy: TinyPolicy, mode: ContextMode, steps: int) -> list[torch.Tensor]:
    context, previous, outputs = make_context(mode, policy), None, []
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        for _ in range(steps):
            observation = torch.randn(1, FEATURES, generator=generator)
            outputs.append(context.decide(observation, torch.tensor([0.7]), previous))
            previous = outputs[-1].argmax(-1)
    return outputs


@pytest.mark.parametrize("mode", ["sliding", "chunked"])
def test_watching_changes_no_output(mode: ContextMode) -> None:
    policy = TinyPolicy().eval()
    before = decide(policy, mode, 10)
    assert watch_attention(policy) is not None
    for ours, theirs in zip(decide(policy, mode, 10), before, strict=True):
        assert torch.equal(ours, theirs)


def test_weights_are_those_of_the_last_layer() -> None:
    policy = TinyPolicy().eval()
    watch = watch_attention(policy)
    assert watch is not None
    assert watch.take() is None
    decide(policy, "sliding", 4)
    weights = watch.take()
    assert weights is not None
    assert weights.shape == (4, 3)
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    assert weights[-1, 2] == 0
    assert watch.take() is None
    # the same tokens through a copy of the trunk that computes its weights in the open
    context = make_context("sliding", policy)
    seen: list[torch.Tensor] = []
    run_trunk = policy.run_trunk
    policy.run_trunk = lambda tokens, *args, **options: (seen.append(tokens), run_trunk(tokens, *args, **options))[1]  # type: ignore[method-assign]
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        previous = None
        for _ in range(4):
            observation = torch.randn(1, FEATURES, generator=generator)
            previous = context.decide(observation, torch.tensor([0.7]), previous).argmax(-1)
        plain = copy.deepcopy(policy.trunk)
        for layer in plain.h:
            layer.attn.config = plain.config
        plain.set_attn_implementation("eager")
        attentions = plain(inputs_embeds=seen[-1], output_attentions=True).attentions
    expected = attentions[-1][0, :, -1].mean(0).numpy()
    np.testing.assert_allclose(weights.reshape(-1)[:-1], expected, atol=1e-5)


def test_both_contexts_look_at_the_same_while_they_hold_the_same() -> None:
    found = []
    for mode in ("sliding", "chunked"):
        policy = TinyPolicy().eval()
        watch = watch_attention(policy)
        decide(policy, mode, 5)  # type: ignore[arg-type]
        found.append(watch.take())  # type: ignore[union-attr]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_shared_keys_and_masks_count() -> None:
    query, key = torch.randn(4, 8), torch.randn(2, 5, 8)
    mask = torch.tensor([True, True, False, True, True]).expand(1, 1, 1, 5)
    weights = _newest_weights(query, key, mask, None)
    assert weights[2] == 0
    assert weights.sum() == pytest.approx(1.0)
    keys = torch.stack([key[0], key[0], key[1], key[1]])
    scores = (query[:, None] * keys).sum(-1) / 8**0.5
    scores[:, 2] = -torch.inf
    torch.testing.assert_close(weights, scores.softmax(-1).mean(0))


def test_a_policy_without_attention_is_not_watched() -> None:
    assert watch_attention(torch.nn.Linear(2, 2)) is None  # type: ignore[arg-type]
