"""Settings held against a trunk before training, and what is noted of a trunk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lamo_core.config import ModelConfig
from lamo_core.errors import DataError, UsageError
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.hub import require_table
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.trunk_settings import check_settings
from tests.families.tiny_models import save_tiny

PLAIN = ModelConfig(dropout=0.0, context=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama on disk."""
    save_tiny("llama", {}, tmp_path / "llama")
    return tmp_path / "llama"


def adapted(name: str, config: ModelConfig) -> Backbone:
    backbone = load_backbone(name, dropout=config.dropout, attention_dropout=config.attention_dropout)
    adapt(backbone, config.adapter, rank=2, bias=config.lora_bias)
    return backbone


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"trunk_positions": False}, "model.trunk_positions=true"),
        ({"lora_bias": True}, "model.lora_bias=false"),
        ({"trunk_positions": False, "lora_bias": True}, "model.trunk_positions=true --set model.lora_bias=false"),
    ],
)
def test_settings_that_change_nothing_are_refused(folder: Path, values: dict[str, Any], said: str) -> None:
    config = replace(PLAIN, **values)
    with pytest.raises(UsageError, match=f"--set {said}$"):
        check_settings(config, adapted(str(folder), config))


@pytest.mark.parametrize("values", [{"trunk_positions": False}, {"lora_bias": True}, {"attention_dropout": 0.1}])
def test_the_same_settings_are_taken_where_they_do_something(values: dict[str, Any]) -> None:
    config = replace(PLAIN, **values)
    check_settings(config, adapted("random:mini", config))


def test_attention_without_dropout_cannot_be_given_any(tmp_path: Path) -> None:
    save_tiny("mamba", {}, tmp_path)
    config = replace(PLAIN, attention_dropout=0.1, adapter="full")
    with pytest.raises(UsageError, match=r"model\.attention_dropout=0"):
        check_settings(config, adapted(str(tmp_path), config))


def test_a_table_that_is_not_there_is_seen_in_the_description(folder: Path) -> None:
    require_table(ModelConfig(backbone=str(folder)))
    require_table(ModelConfig(backbone="random:gpt2", trunk_positions=False))
    for name in (str(folder), f"random:{folder}"):
        with pytest.raises(UsageError, match=r"model\.trunk_positions=true"):
            require_table(ModelConfig(backbone=name, trunk_positions=False))


def test_a_context_beyond_the_table_of_positions_is_refused(tmp_path: Path) -> None:
    """Roberta's table has two rows more than positions, and its description counts them."""
    save_tiny("roberta", {"is_decoder": True, "max_position_embeddings": 31}, tmp_path)
    backbone = adapted(str(tmp_path), PLAIN)
    assert backbone.positions == 31
    check_settings(replace(PLAIN, context=9), backbone)
    for context in (11, 40):
        with pytest.raises(UsageError, match=r"smaller model\.context"):
            check_settings(replace(PLAIN, context=context), backbone)


def test_dropout_is_that_of_the_settings_in_every_family(tmp_path: Path) -> None:
    save_tiny("opt", {"layerdrop": 0.5}, tmp_path)
    config: Any = load_backbone(str(tmp_path), dropout=0.25, attention_dropout=0.5).model.config
    assert (config.dropout, config.attention_dropout, config.layerdrop) == (0.25, 0.5, 0.0)


def test_notes_tell_what_runs_otherwise(tmp_path: Path, folder: Path) -> None:
    assert load_backbone("random:mini", dropout=0.1).notes == ()
    assert load_backbone(str(folder), dropout=0.1).notes == ("no dropout in its family",)
    save_tiny("bloom", {}, tmp_path / "bloom")
    assert load_backbone(str(tmp_path / "bloom")).notes == ("eager attention",)


def test_a_model_that_sees_later_tokens_is_refused_by_what_it_does(tmp_path: Path) -> None:
    save_tiny("bert", {"is_decoder": True}, tmp_path)
    assert load_backbone(str(tmp_path)).width == 32
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "is_decoder": False}))
    with pytest.raises(DataError, match=r"not causal.*is_decoder: false"):
        load_backbone(str(tmp_path))


class _Changed(nn.Module):
    """A Llama whose hidden vectors are changed on their way out."""

    def __init__(self, trunk: Any, change: Any) -> None:
        super().__init__()
        self.trunk, self.change, self.config = trunk, change, trunk.config

    def get_input_embeddings(self) -> Any:
        return self.trunk.get_input_embeddings()

    def forward(self, inputs_embeds: Any = None, use_cache: Any = None) -> Any:
        output = self.trunk(inputs_embeds=inputs_embeds, use_cache=use_cache)
        output.last_hidden_state = self.change(output.last_hidden_state)
        return output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda hidden: hidden + 1e-2 * hidden.mean(1, keepdim=True), "not causal"),
        (lambda hidden: hidden + 1e-2 * hidden.roll(-1, 1), "not causal"),
        (lambda hidden: hidden.flip(1), "not causal"),
        (lambda hidden: hidden[:, :, :-1], "one width"),
        (lambda hidden: hidden * float("nan"), "no finite numbers"),
        (lambda hidden: hidden / 0, "no finite numbers"),
    ],
)
def test_a_small_look_ahead_and_odd_outputs_are_seen(
    folder: Path, change: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamo_core.model.backbone.trunk_of", lambda causal, name: _Changed(causal.model, change))
    with pytest.raises(DataError, match=said):
        load_backbone(str(folder))


def test_a_trunk_that_writes_into_its_input_gets_copies(tmp_path: Path) -> None:
    save_tiny("ctrl", {}, tmp_path)
    backbone = load_backbone(str(tmp_path))
    tokens_NLD = torch.ones(1, 4, 32)
    backbone.run(tokens_NLD)
    assert backbone.changes_input
    assert torch.equal(tokens_NLD, torch.ones(1, 4, 32))


def test_trying_a_trunk_leaves_no_trace(folder: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    backbone = load_backbone(str(folder))
    assert torch.equal(torch.rand(3), expected)
    assert backbone.model.training
    assert all(value.grad is None for value in backbone.model.parameters())
    assert not any(module._forward_pre_hooks for module in backbone.model.modules())
