"""One pair of low-rank matrices for each of query, key and value, as the paper's MuJoCo code has them."""

from __future__ import annotations

import pytest
import torch

from lamo_core.analysis.movement import movements
from lamo_core.errors import UsageError
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.gpt2.weights import gpt2_shape
from lamo_core.model.hub import shape_of
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.lora.split_lora import SplitLora
from lamo_core.settings.presets import resolve

RANK = 4


@pytest.fixture
def trunk() -> Backbone:
    return load_backbone("random:mini", dropout=0.0, attention_dropout=0.0, seed=0)


def test_nothing_changes_at_first_and_only_adapters_and_biases_learn(trunk: Backbone) -> None:
    tokens_NLD = torch.randn(2, 7, trunk.width)
    before = trunk.run(tokens_NLD)[0].detach()
    names = adapt(trunk, "lora", rank=RANK, projections="separate", bias=True)
    assert torch.equal(before, trunk.run(tokens_NLD)[0])
    parts = ("lora_A.default", "lora_B.default", "base_layer.bias")
    assert set(names) == {f"h.{layer}.attn.c_attn.{part}" for layer in range(4) for part in parts}


def test_each_projection_changes_by_its_own_pair_alone(trunk: Backbone) -> None:
    adapt(trunk, "lora", rank=RANK, alpha=8, projections="separate")
    layer = trunk.model.get_submodule("h.0.attn.c_attn")
    assert isinstance(layer, SplitLora)
    x_NI = torch.randn(5, trunk.width)
    plain_NO = layer.base_layer(x_NI)
    with torch.no_grad():
        layer.lora_B["default"][1].normal_()
    change_NPO = (layer(x_NI) - plain_NO).detach().view(5, 3, -1)
    assert change_NPO[:, [0, 2]].abs().max() == 0
    by_hand = 8 / RANK * x_NI @ layer.lora_A["default"][1].T @ layer.lora_B["default"][1].T
    torch.testing.assert_close(change_NPO[:, 1], by_hand.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(x_NI @ layer.get_delta_weight("default"), change_NPO.flatten(1), atol=1e-5, rtol=1e-4)


def test_gpt2_has_the_papers_number_of_adapter_parameters() -> None:
    model = resolve("paper-mujoco-walker2d").config.model
    assert (model.lora_rank, model.lora_alpha, model.lora_dropout) == (16, 32, 0.1)
    with torch.device("meta"):
        shape = gpt2_shape(shape_of("gpt2"), 0.1, 0.0)
        assert shape is not None
        gpt2 = Backbone("gpt2", "", Gpt2Trunk(shape), "gpt2", 768, 12, 1024)
        names = adapt(gpt2, "lora", rank=model.lora_rank, projections=model.lora_projections, bias=model.lora_bias)
    trained = dict(gpt2.model.named_parameters())
    adapters = sum(trained[name].numel() for name in names if ".lora_" in name)
    assert adapters == 884_736
    assert sum(trained[name].numel() for name in names) - adapters == 12 * 3 * 768


def test_other_matrices_are_adapted_beside_it(trunk: Backbone) -> None:
    names = adapt(trunk, "lora", rank=RANK, targets="all", projections="separate")
    assert sum(".attn.c_attn.lora_" in name for name in names) == 8
    assert sum(".mlp.c_fc.lora_" in name for name in names) == 8


def test_what_moved_is_found(trunk: Backbone) -> None:
    adapt(trunk, "lora", rank=RANK, projections="separate")
    with torch.no_grad():
        trunk.model.get_submodule("h.0.attn.c_attn").lora_B["default"].normal_()
    moved = {row.name: row for row in movements(trunk.model, trunk.model)}
    assert moved["h.0.attn.c_attn (adapter)"].relative > 0
    assert moved["h.0.attn.c_attn (adapter)"].parameters == 2 * 3 * RANK * trunk.width
    assert moved["h.1.attn.c_attn (adapter)"].relative == 0


def test_a_fused_projection_of_another_kind_is_refused() -> None:
    fused = load_backbone("random:mini", dropout=0.0, attention_dropout=0.0, seed=0)
    for block in fused.model.get_submodule("h").children():
        block.attention = torch.nn.Module()
        block.attention.query_key_value = block.attn.c_attn
        block.attention.dense = block.attn.c_proj
        del block.attn
    with pytest.raises(UsageError, match="lora_projections to shared"):
        adapt(fused, "lora", projections="separate")
