"""Measures of a trunk: what they say of trunks whose answer is known, and that they leave no trace."""

from __future__ import annotations

import pytest
import torch

from lamo_core.analysis.trunk import measure_trunk
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.gpt2.trunk import Gpt2Trunk


@pytest.fixture
def backbone() -> Backbone:
    return load_backbone("random:mini", dropout=0.1)


def trunk(backbone: Backbone) -> Gpt2Trunk:
    assert isinstance(backbone.model, Gpt2Trunk)
    return backbone.model


@torch.no_grad()
def test_blocks_that_add_nothing_are_the_identity(backbone: Backbone) -> None:
    trunk(backbone).wpe.weight.zero_()
    for name, value in trunk(backbone).named_parameters():
        if "c_proj" in name:
            value.zero_()
    measured = measure_trunk(backbone)
    assert measured.growth == pytest.approx([1.0] * 4, abs=1e-5)
    assert measured.cosine == pytest.approx(1.0, abs=1e-5)
    assert measured.told_apart > 0.95
    assert "identity" in measured.verdict


@torch.no_grad()
def test_a_large_constant_collapses_a_trunk(backbone: Backbone) -> None:
    direction = torch.randn(backbone.width, generator=torch.Generator().manual_seed(1))
    trunk(backbone).h[-1].mlp.c_proj.bias.copy_(1e3 * direction)  # type: ignore[union-attr, operator]
    measured = measure_trunk(backbone)
    assert measured.told_apart < 1e-3
    assert measured.growth[-1] > 100 * measured.growth[0]
    assert "collapsed" in measured.verdict


@torch.no_grad()
def test_outputs_along_one_direction_have_rank_one(backbone: Backbone) -> None:
    norm = trunk(backbone).ln_f
    norm.weight.zero_()
    norm.weight[7] = 1.0
    measured = measure_trunk(backbone)
    assert measured.rank == pytest.approx(1.0, abs=1e-3)
    assert measured.most_rank == 199


def test_measuring_leaves_no_trace(backbone: Backbone) -> None:
    backbone.model.train()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert measure_trunk(backbone) == measure_trunk(backbone)
    assert torch.equal(torch.get_rng_state(), before)
    assert backbone.model.training
    assert not any(module._forward_hooks for module in backbone.model.modules())
