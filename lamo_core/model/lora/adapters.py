"""What of a trunk learns: low-rank adapters on chosen matrices, nothing, or everything."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from lamo_core.config import Adapter, AttentionMixing, LoraProjections, LoraTargets
from lamo_core.errors import UsageError
from lamo_core.model.backbone import Backbone
from lamo_core.model.extras.head_mixing import mix_heads
from lamo_core.model.gpt2.trunk import Gpt2Trunk, Projection
from lamo_core.model.lora.low_rank import add_low_rank
from lamo_core.model.lora.split_lora import split_fused
from lamo_core.model.trunk import place

_PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "qkv": (
        ("attn.c_attn",),
        ("q_proj", "k_proj", "v_proj"),
        ("query_key_value",),
        ("qkv_proj",),
        ("attn.Wqkv",),
        ("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj"),
        ("q_a_proj", "kv_a_proj_with_mqa", "kv_b_proj"),
        ("q_proj", "kv_a_proj_with_mqa", "kv_b_proj"),
        ("self.query", "self.key", "self.value"),
        ("query_proj", "key_proj", "value_proj"),
        ("q_proj.linear", "k_proj.linear", "v_proj.linear"),
        ("Wq", "Wk", "Wv"),
        ("mlstm_layer.q", "mlstm_layer.k", "mlstm_layer.v"),
    ),
    "output": (
        ("attn.c_proj",),
        ("o_proj",),
        ("attention.dense",),
        ("self_attention.dense",),
        ("self_attn.dense",),
        ("attn.out_proj",),
        ("self_attn.out_proj",),
        ("attn.attention.out_proj",),
        ("attention.output.dense",),
    ),
    "mlp": (
        ("mlp.c_fc", "mlp.c_proj"),
        ("gate_proj", "up_proj", "down_proj"),
        ("dense_h_to_4h", "dense_4h_to_h"),
        ("gate_up_proj", "down_proj"),
        ("fc1", "fc2"),
        ("mlp.fc_in", "mlp.fc_out"),
        ("ffn.up_proj", "ffn.down_proj"),
        ("mlp.up_proj", "mlp.down_proj"),
        ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
    ),
}
"""Endings of the names of a block's matrices in the model families, in the order they are looked for."""
_SPLITTABLE = "attn.c_attn"
"""GPT-2's fused projection, whose columns are query, key and value one after the other."""
_FUSED = (_SPLITTABLE, "query_key_value", "qkv_proj", "attn.Wqkv")
_TARGETS: dict[LoraTargets, tuple[str, ...]] = {
    "attention": ("qkv",),
    "attention-output": ("qkv", "output"),
    "mlp": ("mlp",),
    "all": ("qkv", "output", "mlp"),
}


def adapt(
    backbone: Backbone,
    adapter: Adapter,
    *,
    rank: int = 32,
    alpha: float = 32,
    dropout: float = 0.0,
    targets: LoraTargets = "attention",
    projections: LoraProjections = "shared",
    bias: bool = False,
    mixing: AttentionMixing = "none",
) -> list[str]:
    """Choose what of the trunk learns; returns the names of its trainable tensors in `backbone.model`.

    `lora` adds low-rank matrices to the query, key and value projections, or to what `targets` says (Hu et
    al. 2021), and freezes the rest. One pair serves the fused projection of GPT-2, or with `projections` separate one
    pair each of its three parts. The second matrix starts at zero, so nothing changes at first. `bias` lets the biases
    of adapted matrices learn too. `frozen` trains nothing. `full` trains everything but the word table, which
    trajectories never use. `mixing` adds weights of attention heads, which learn beside whatever else does. Raises
    `UsageError` for a trunk whose projections have unknown names, or that has a single head to mix.
    """
    trunk = backbone.model
    trunk.requires_grad_(adapter == "full")
    backbone.word_table.requires_grad_(False)
    mixed = _matrices(backbone, ("output",), "attention-mixing") if mixing == "heads" else []
    if adapter == "lora":
        matrices = _matrices(backbone, _TARGETS[targets], f"adapters of {targets!r}")
        _inject_lora(backbone, matrices, rank, alpha, dropout, split=projections == "separate")
        if bias:
            _free_biases(backbone, matrices)
    if mixed:
        # last, so that an adapter of the output projection lies behind the mixing
        mix_heads(trunk, mixed, backbone.family)
    return [name for name, parameter in trunk.named_parameters() if parameter.requires_grad]


def _inject_lora(
    backbone: Backbone, matrices: list[str], rank: int, alpha: float, dropout: float, *, split: bool
) -> None:
    trunk = backbone.model
    transposed = any(_transposed(trunk.get_submodule(name)) for name in matrices)
    fused = [name for name in matrices if name.endswith(tuple(f".{ending}" for ending in _FUSED))]
    apart = [name for name in fused if split and name.endswith(f".{_SPLITTABLE}") and transposed]
    if split and len(apart) < len(fused):
        raise UsageError(
            f"lamo cannot take the fused projection of the family {backbone.family!r} apart; "
            "set model.lora_projections to shared"
        )
    whole = [name for name in matrices if name not in apart]
    if whole and isinstance(trunk, Gpt2Trunk):
        add_low_rank(trunk, whole, rank, alpha, dropout)
    elif whole:
        _inject_peft(trunk, whole, rank, alpha, dropout, transposed=transposed)
    if apart:
        split_fused(trunk, apart, rank, alpha, dropout)


def _inject_peft(
    trunk: nn.Module, matrices: list[str], rank: int, alpha: float, dropout: float, *, transposed: bool
) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        # one expression for all, which must match whole names
        target_modules="|".join(map(re.escape, matrices)),
        fan_in_fan_out=transposed,
        bias="none",
    )
    inject_adapter_in_model(config, trunk)


def _free_biases(backbone: Backbone, matrices: list[str]) -> None:
    for name, parameter in backbone.model.named_parameters():
        layer = name.removesuffix(".bias").removesuffix(".base_layer")
        if name.endswith(".bias") and layer in matrices:
            parameter.requires_grad_(True)


def _matrices(backbone: Backbone, parts: tuple[str, ...], purpose: str) -> list[str]:
    """Return the names of matrices that are parts of a block; raises `UsageError` where lamo knows none.

    Those that trajectories do not run through are left out: of an image encoder, or of attention to another model.
    """
    names = [
        name
        for name, module in backbone.model.named_modules()
        if (isinstance(module, nn.Linear) or _transposed(module)) and place(name) not in backbone.idle
    ]
    endings = [next((kind for kind in _PARTS[part] if _has(names, kind)), ()) for part in parts]
    if all(endings):
        wanted = tuple(f".{ending}" for kind in endings for ending in kind)
        return [name for name in names if name.endswith(wanted)]
    way = "set model.adapter to full or frozen" if purpose.startswith("adapters") else "drop it"
    raise UsageError(f"the family {backbone.family!r} has no projections for {purpose} that lamo knows; {way}")


def _has(names: list[str], endings: tuple[str, ...]) -> bool:
    return all(any(name.endswith(f".{ending}") for name in names) for ending in endings)


def _transposed(module: nn.Module) -> bool:
    """Return whether a matrix is kept as GPT-2 keeps it, inputs first."""
    return isinstance(module, Projection) or type(module).__name__ == "Conv1D"


def merge_adapters(trunk: nn.Module) -> None:
    """Add what adapters change to the matrices that they stand before, and take the adapters out of a trunk."""
    adapted = [(name, layer) for name, layer in trunk.named_modules() if hasattr(layer, "get_delta_weight")]
    for name, layer in adapted:
        parent, _, leaf = name.rpartition(".")
        base: Any = layer.base_layer
        with torch.no_grad():
            base.weight += layer.get_delta_weight("default")
        setattr(trunk.get_submodule(parent), leaf, base)
