"""Adapters merged into their matrices while a policy acts, and only then."""

from __future__ import annotations

import pytest
import torch

from lamo_core.config import LoraProjections
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.merging import Merging


def adapted(projections: LoraProjections) -> Backbone:
    torch.manual_seed(0)
    backbone = load_backbone("random:mini", dropout=0.1, seed=0)
    adapt(backbone, "lora", rank=4, dropout=0.1, targets="attention", projections=projections, bias=True)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in backbone.model.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return backbone


@pytest.fixture(params=["shared", "separate"])
def trunk(request: pytest.FixtureRequest) -> Backbone:
    return adapted(request.param)


def layers(trunk: Backbone) -> list[Merging]:
    return [module for module in trunk.model.modules() if isinstance(module, Merging)]


@pytest.mark.parametrize("places", [None, slice(-1, None)])
def test_a_merged_trunk_gives_what_the_plain_one_gives(trunk: Backbone, places: slice | None) -> None:
    tokens_NLD = torch.randn(3, 8, trunk.width)
    trunk.model.eval()
    with torch.no_grad():
        plain = trunk.run(tokens_NLD, places=places)[0]
    assert all(layer._merged is None for layer in layers(trunk))
    with torch.inference_mode():
        merged = trunk.run(tokens_NLD, places=places)[0]
    assert layers(trunk)
    assert all(layer._merged is not None for layer in layers(trunk))
    torch.testing.assert_close(merged, plain, atol=2e-4, rtol=2e-4)


def test_nothing_merged_outlives_the_weights(trunk: Backbone) -> None:
    tokens_NLD = torch.randn(1, 4, trunk.width)
    acting = trunk.model.eval()
    with torch.inference_mode():
        before = trunk.run(tokens_NLD)[0].clone()
    weights = next(p for name, p in acting.named_parameters() if name.startswith("h.0.") and ".lora_B." in name)
    weights.data.zero_()
    acting.eval()  # as whatever acts does first
    with torch.inference_mode():
        after = trunk.run(tokens_NLD)[0].clone()
    assert not torch.allclose(before, after)
    weights.data.normal_(std=0.1)
    expected = trunk.run(tokens_NLD)[0].detach()  # training in evaluation mode, without dropout
    with torch.inference_mode():
        torch.testing.assert_close(trunk.run(tokens_NLD)[0], expected, atol=2e-4, rtol=2e-4)


def test_training_uses_the_adapters_themselves(trunk: Backbone) -> None:
    with torch.inference_mode():
        trunk.model.eval()
        trunk.run(torch.randn(1, 4, trunk.width))
    trunk.model.train()
    (trunk.run(torch.randn(1, 4, trunk.width))[0] * torch.randn(trunk.width)).sum().backward()
    assert all(layer._merged is None for layer in layers(trunk))
    gradients = [p.grad for name, p in trunk.model.named_parameters() if ".lora_A." in name]
    assert gradients
    assert all(found is not None and found.abs().max() > 0 for found in gradients)
    assert not any("_merged" in name for name in trunk.model.state_dict())
