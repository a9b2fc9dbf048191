"""What of a trunk learns: low-rank adapters on chosen matrices, nothing, or everything."""

from __future__ import annotations

from torch import nn

from lamo_core.config import Adapter, AttentionMixing, LoraProjections, LoraTargets
from lamo_core.errors import UsageError
from lamo_core.model.backbone import Backbone
from lamo_core.model.extras.head_mixing import mix_heads
from lamo_core.model.gpt2 import Gpt2Trunk
from lamo_core.model.low_rank import add_low_rank
from lamo_core.model.split_lora import split_fused

_PARTS: tuple[dict[str, tuple[str, ...]], ...] = (
    {"qkv": ("attn.c_attn",), "output": ("attn.c_proj",), "mlp": ("mlp.c_fc", "mlp.c_proj")},
    {
        "qkv": ("q_proj", "k_proj", "v_proj"),
        "output": ("o_proj",),
        "mlp": ("gate_proj", "up_proj", "down_proj"),
    },
    {"qkv": ("query_key_value",), "output": ("attention.dense",), "mlp": ("dense_h_to_4h", "dense_4h_to_h")},
    {"qkv": ("qkv_proj",), "output": ("o_proj",), "mlp": ("gate_up_proj", "down_proj")},
)
"""Endings of the names of a block's matrices in the model families, in the order they are looked for."""
_SPLITTABLE = "attn.c_attn"
"""GPT-2's fused projection, whose columns are query, key and value one after the other."""
_FUSED = (_SPLITTABLE, "query_key_value", "qkv_proj")
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
    if adapter == "lora":
        endings = _matrices(backbone, _TARGETS[targets], f"adapters of {targets!r}")
        _inject_lora(backbone, endings, rank, alpha, dropout, split=projections == "separate")
        if bias:
            _free_biases(backbone, endings)
    if mixing == "heads":
        # last, so that an adapter of the output projection lies behind the mixing
        (output,) = _matrices(backbone, ("output",), "attention-mixing")
        mix_heads(trunk, output, backbone.family)
    return [name for name, parameter in trunk.named_parameters() if parameter.requires_grad]


def _inject_lora(
    backbone: Backbone, endings: list[str], rank: int, alpha: float, dropout: float, *, split: bool
) -> None:
    fused = [ending for ending in endings if ending in _FUSED]
    if split and set(fused) - {_SPLITTABLE}:
        raise UsageError(
            f"lamo cannot take the fused projection of the family {backbone.family!r} apart; "
            "set model.lora_projections to shared"
        )
    whole = [ending for ending in endings if not (split and ending == _SPLITTABLE)]
    if whole and isinstance(backbone.model, Gpt2Trunk):
        add_low_rank(backbone.model, whole, rank, alpha, dropout)
    elif whole:
        _inject_peft(backbone.model, whole, rank, alpha, dropout, transposed=backbone.family == "gpt2")
    if split and fused:
        split_fused(backbone.model, _SPLITTABLE, rank, alpha, dropout)


def _inject_peft(
    trunk: nn.Module, endings: list[str], rank: int, alpha: float, dropout: float, *, transposed: bool
) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=endings,
        fan_in_fan_out=transposed,  # as GPT-2 keeps these matrices
        bias="none",
    )
    inject_adapter_in_model(config, trunk)


def _free_biases(backbone: Backbone, endings: list[str]) -> None:
    for name, parameter in backbone.model.named_parameters():
        layer = name.removesuffix(".bias").removesuffix(".base_layer")
        if name.endswith(".bias") and layer.endswith(tuple(f".{ending}" for ending in endings)):
            parameter.requires_grad_(True)


def _matrices(backbone: Backbone, parts: tuple[str, ...], purpose: str) -> list[str]:
    """Return the endings of the names of parts of a block; raises `UsageError` for families that lamo does not know."""
    names = [name for name, _ in backbone.model.named_modules()]
    for family in _PARTS:
        wanted = [ending for part in parts for ending in family[part]]
        if all(any(name.endswith(f".{ending}") for name in names) for ending in wanted):
            return wanted
    way = "set model.adapter to full or frozen" if purpose.startswith("adapters") else "drop it"
    raise UsageError(f"the family {backbone.family!r} has no projections for {purpose} that lamo knows; {way}")
