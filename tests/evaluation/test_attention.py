"""Attention weights are those of the layer, and watching changes no output."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from lamo_core.config import ContextMode
from lamo_core.evaluation.attention import watch_attention
from lamo_core.evaluation.attention_weights import Attention
from lamo_core.evaluation.contexts import make_context
from lamo_core.model.attention_tap import Shown, attention_weights, tap_attention
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


def test_weights_are_those_of_each_head_of_each_layer() -> None:
    policy = TinyPolicy().eval()
    watch = watch_attention(policy)
    assert watch is not None
    assert watch.take() is None
    decide(policy, "sliding", 4)
    looked = watch.take()
    assert looked is not None
    assert looked.mean_C3.shape == (4, 3)
    assert looked.mean_C3.sum() == pytest.approx(1.0, abs=1e-5)
    assert looked.mean_C3[-1, 2] == 0
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
    expected = torch.stack([layer[0, :, -1] for layer in attentions]).numpy()
    assert expected.shape[:2] == (watch.layers, watch.heads)
    assert min(watch.layers, watch.heads) > 1
    for layer in range(watch.layers):
        for head in range(watch.heads):
            weights = looked.of(layer + 1, head + 1)
            assert weights is not None
            np.testing.assert_allclose(weights.reshape(-1)[:-1], expected[layer, head], atol=1e-3)
        np.testing.assert_allclose(looked.of(layer + 1, 0).reshape(-1)[:-1], expected[layer].mean(0), atol=1e-3)  # type: ignore[union-attr]
    np.testing.assert_allclose(looked.mean_C3.reshape(-1)[:-1], expected.mean((0, 1)), atol=1e-5)


def test_heads_that_are_not_there_are_none() -> None:
    looked = Attention.of_heads(np.full((2, 4, 5), 0.2, np.float32))
    assert looked is not None
    assert looked.of(2, 4) is not None
    assert looked.of(3, 0) is None
    assert looked.of(2, 5) is None
    assert looked.averaged().of(1, 0) is None
    np.testing.assert_allclose(looked.averaged().of(0, 0), looked.mean_C3)
    assert Attention.of_heads(np.full((2, 4, 4), 0.25, np.float32)) is None, "tokens come in threes"


def test_both_contexts_look_at_the_same_while_they_hold_the_same() -> None:
    found = []
    for mode in ("sliding", "chunked"):
        policy = TinyPolicy().eval()
        watch = watch_attention(policy)
        decide(policy, mode, 5)  # type: ignore[arg-type]
        found.append(watch.take())  # type: ignore[union-attr]
    np.testing.assert_allclose(found[0].mean_C3, found[1].mean_C3, atol=1e-5)  # type: ignore[union-attr]


def test_shared_keys_and_masks_count() -> None:
    query, key = torch.randn(4, 8), torch.randn(2, 5, 8)
    mask = torch.tensor([True, True, False, True, True]).expand(1, 1, 1, 5)
    weights = attention_weights(query[None, :, None], key[None], mask_NHRS=mask)[0, :, 0]
    assert (weights[:, 2] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(4))
    keys = torch.stack([key[0], key[0], key[1], key[1]])
    scores = (query[:, None] * keys).sum(-1) / 8**0.5
    scores[:, 2] = -torch.inf
    torch.testing.assert_close(weights, scores.softmax(-1))


def test_several_taps_see_the_same_and_each_ends_by_itself() -> None:
    policy = TinyPolicy().eval()
    watch = watch_attention(policy)
    assert watch is not None
    assert watch_attention(policy) is watch
    seen: list[tuple[int, Shown]] = []
    end = tap_attention(policy.trunk, lambda layer, shown: seen.append((layer, shown)))
    decide(policy, "sliding", 1)
    assert [layer for layer, _ in seen] == list(range(watch.layers))
    assert watch.take() is not None
    end()
    decide(policy, "sliding", 1)
    assert len(seen) == watch.layers
    assert watch.take() is not None


def test_a_layer_that_is_tapped_no_more_is_as_before() -> None:
    policy = TinyPolicy().eval()
    kept = [layer.attn.config for layer in policy.trunk.h]
    tap_attention(policy.trunk, lambda layer, shown: None)()
    assert all(layer.attn.config is config for layer, config in zip(policy.trunk.h, kept, strict=True))


def test_a_policy_without_attention_is_not_watched() -> None:
    assert watch_attention(torch.nn.Linear(2, 2)) is None  # type: ignore[arg-type]
