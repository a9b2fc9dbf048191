"""Attention mixing: nothing at first, learned by every kind of adapter, on every family of trunks that lamo knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lamo_core.analysis.attention import head_changes, head_masses
from lamo_core.analysis.movement import movements
from lamo_core.analysis.start import initial_policy
from lamo_core.config import RunConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.errors import UsageError
from lamo_core.evaluation.attention import watch_attention
from lamo_core.evaluation.contexts import ChunkedContext, SlidingContext
from lamo_core.model.backbone import load_backbone, next_token_loss
from lamo_core.model.extras.head_mixing import GATE, HeadMixing
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session
from tests.training.conftest import MakeConfig, make_config, no_evaluation

__all__ = ["make_config"]

MIXED = {"attention_mixing": "heads"}


def policies(make_config: MakeConfig, **model: Any) -> tuple[Session, Session]:
    """Return sessions of the same config without mixing and with it."""
    return new_session(make_config(model=model)), new_session(make_config(model={**model, **MIXED}))


def policy_of(session: Session) -> Policy:
    assert isinstance(session.learner.policy, Policy)
    return session.learner.policy.eval()


def windows_of(session: Session, count: int) -> WindowBatch:
    batch: WindowBatch = session.learner.sampler.sample(count)  # type: ignore[attr-defined]
    return batch


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"adapter": "frozen"},
        {"adapter": "full"},
        {"lora_targets": "all"},
        {"lora_projections": "separate", "lora_bias": True},
        {"backbone": "mini"},
    ],
    ids=["lora", "frozen", "full", "all", "separate", "mini"],
)
def test_an_untrained_mixture_is_the_plain_policy(make_config: MakeConfig, model: dict[str, Any]) -> None:
    plain, mixed = policies(make_config, **model)
    batch = windows_of(plain, 3)
    assert torch.equal(policy_of(plain)(batch), policy_of(mixed)(batch))
    ours = dict(policy_of(mixed).named_parameters())
    for name, parameter in policy_of(plain).named_parameters():
        moved = name.replace("attn.c_proj.", "attn.c_proj.projection.")
        assert torch.equal(parameter, ours[moved]), name
        assert parameter.requires_grad == ours[moved].requires_grad
    gates = [name for name in ours if GATE in name]
    assert len(gates) == 2 * 4
    assert all(ours[name].requires_grad for name in gates)
    assert mixed.trainable()[0] - plain.trainable()[0] == 4 * (8 * 256 + 8)


def test_gradients_reach_every_gate_and_heads_come_to_differ(make_config: MakeConfig) -> None:
    session = new_session(make_config(model=MIXED, optim={"adapter_learning_rate": 0.02}))
    for _ in training_loop(session, Requests(), no_evaluation, lambda session, best: ""):
        pass
    policy = policy_of(session)
    layers = [module for module in policy.modules() if isinstance(module, HeadMixing)]
    assert len(layers) == 4
    joined = torch.randn(5, 256)
    for layer in layers:
        shares = layer.shares(joined)
        assert shares.std(-1).min() > 1e-6
        torch.testing.assert_close(shares.mean(-1), torch.ones(5))
    moved = {row.name: row for row in movements(policy, initial_policy(session.checkpoint()))}
    assert moved["trunk.h.0.attn.c_proj.gate"].parameters == 8 * 256 + 8


def test_a_set_aside_head_is_as_if_it_were_not_there() -> None:
    layer = HeadMixing(torch.nn.Identity(), 4, 2)
    joined = torch.arange(8.0)
    with torch.no_grad():
        layer.gate["bias"][1] = -100.0
    expected = joined * 4 / 3
    expected[2:4] = 0.0
    torch.testing.assert_close(layer(joined), expected)
    # twelve twelfths are not exactly one in floating point, but this is
    assert torch.equal(HeadMixing(torch.nn.Identity(), 12, 1).shares(torch.randn(3, 12)), torch.ones(3, 12))


def test_both_contexts_agree_and_attention_is_still_measured(make_config: MakeConfig) -> None:
    session = new_session(make_config(model=MIXED))
    policy, batch = policy_of(session), windows_of(session, 6)
    plain = head_masses(policy, batch)
    with torch.no_grad():
        for layer in (module for module in policy.modules() if isinstance(module, HeadMixing)):
            layer.gate["weight"].normal_()
    masses = head_masses(policy, batch)
    assert {(row.layer, row.head) for row in masses} == {(layer, head) for layer in range(4) for head in range(8)}
    # the first layer sees the same tokens, what later ones see is mixed otherwise
    assert [row.newest_token for row in masses[:8]] == [row.newest_token for row in plain[:8]]
    assert [row.newest_token for row in masses[8:]] != [row.newest_token for row in plain[8:]]
    assert {row.weight for row in plain} == {1.0}
    weights = torch.tensor([row.weight for row in masses]).view(4, 8)
    torch.testing.assert_close(weights.mean(1), torch.ones(4))
    assert weights.std(1).min() > 0.01
    assert [row.weight for row in head_changes(plain, masses)] == [row.weight for row in masses]
    assert {row.weight for row in head_masses(policy_of(new_session(make_config())), batch)} == {1.0}
    assert watch_attention(policy) is not None
    contexts = [context(policy) for context in (SlidingContext, ChunkedContext)]
    told = torch.ones(2)
    acts: torch.Tensor | None = None
    with torch.no_grad():
        for _ in range(3):
            frames = torch.randint(0, 256, (2, 4, 84, 84), dtype=torch.uint8)
            decided = [context.decide(frames, told, acts) for context in contexts]
            torch.testing.assert_close(*decided, atol=1e-4, rtol=1e-4)
            acts = decided[0].argmax(-1)


def _llama(folder: Path) -> str:
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,  # wider together than the trunk
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def _neox(folder: Path) -> str:
    from transformers.models.gpt_neox.configuration_gpt_neox import GPTNeoXConfig
    from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("make", [_llama, _neox])
@pytest.mark.parametrize("adapter", ["lora", "frozen"])
def test_other_families_mix_their_heads_too(tmp_path: Path, make: Any, adapter: Any) -> None:
    torch.manual_seed(0)
    backbone = load_backbone(make(tmp_path / "trunk"), seed=0)
    words = torch.randint(0, 50, (2, 9))
    before = next_token_loss(backbone, words).detach()
    names = adapt(backbone, adapter, rank=2, targets="attention-output", mixing="heads")
    gates = [name for name in names if GATE in name]
    assert len(gates) == 4
    loss = next_token_loss(backbone, words)
    assert torch.equal(loss.detach(), before)
    loss.backward()  # type: ignore[no-untyped-call]
    found = dict(backbone.model.named_parameters())
    assert all(found[name].grad is not None and found[name].grad.abs().sum() > 0 for name in gates)


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(UsageError, match="one head"):
        adapt(load_backbone("random:dt", seed=0), "full", mixing="heads")
    with pytest.raises(UsageError, match=r"did you mean|known"):
        RunConfig.from_dict({"model": {"attention_mixing": "head"}})
    odd = load_backbone("random:mini", seed=0)
    for block in odd.model.h:  # type: ignore[union-attr]
        block.attn.renamed = block.attn.c_proj  # type: ignore[union-attr]
        del block.attn.c_proj  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="attention-mixing"):
        adapt(odd, "frozen", mixing="heads")
