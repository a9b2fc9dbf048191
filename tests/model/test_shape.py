"""Sizes that a config tells are those of the trunk that is built from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from lamo_core.config import LoraProjections, LoraTargets
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.sizing.shape import shape_from, trunk_shape

LLAMA = {
    "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 64,
}  # fmt: skip
QWEN = {**LLAMA, "model_type": "qwen3", "head_dim": 16}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def made(folder: Path, config: dict[str, Any] | str) -> str:
    if isinstance(config, str):
        return config
    (folder / "config.json").write_text(json.dumps(config))
    return f"random:{folder}"


def blocks(trunk: Backbone) -> int:
    """Return the weights of all matrices of the blocks; norms and biases are small beside them."""
    named = [(name, p.numel()) for name, p in trunk.model.named_parameters() if p.dim() == 2]
    return sum(count for name, count in named if ".layers." in f".{name}" or ".h." in f".{name}")


@pytest.mark.parametrize("config", ["random:mini", "random:dt", LLAMA, QWEN], ids=["mini", "dt", "llama", "qwen3"])
def test_a_trunk_has_the_weights_that_its_config_tells(folder: Path, config: dict[str, Any] | str) -> None:
    name = made(folder, config)
    shape, trunk = trunk_shape(name), load_backbone(name)
    assert shape is not None
    assert (shape.width, shape.layers) == (trunk.width, trunk.layers)
    assert shape.weights == blocks(trunk)
    assert shape.words == trunk.word_table.weight.numel()


@pytest.mark.parametrize("targets", get_args(LoraTargets))
@pytest.mark.parametrize("projections", get_args(LoraProjections))
@pytest.mark.parametrize("config", ["random:mini", LLAMA, QWEN], ids=["mini", "llama", "qwen3"])
def test_adapters_have_the_weights_that_are_foretold(
    folder: Path, config: dict[str, Any] | str, targets: LoraTargets, projections: LoraProjections
) -> None:
    name = made(folder, config)
    shape, trunk = trunk_shape(name), load_backbone(name)
    assert shape is not None
    names = set(adapt(trunk, "lora", rank=4, targets=targets, projections=projections))
    trained = sum(p.numel() for name, p in trunk.model.named_parameters() if name in names)
    assert shape.adapter_weights(4, targets, projections) == trained


def test_language_models_inside_of_others_are_found() -> None:
    nested = shape_from({"model_type": "outer", "text_config": LLAMA})
    assert nested == shape_from(LLAMA)
    several = shape_from({**LLAMA, "num_local_experts": 4})
    assert several is not None
    assert several.weights > 2 * (shape_from(LLAMA) or several).weights


@pytest.mark.parametrize("config", [{}, {"hidden_size": 0, "n_layer": 3}, {"hidden_size": "x"}, {"n_layer": True}])
def test_a_config_without_sizes_has_no_shape(config: dict[str, Any]) -> None:
    assert shape_from(config) is None


def test_sizes_are_read_without_torch() -> None:
    code = (
        "import sys; from lamo_core.model.sizing.shape import trunk_shape; assert trunk_shape('mini')\n"
        "sys.exit(int(bool({'torch', 'transformers', 'peft'} & set(sys.modules))))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
