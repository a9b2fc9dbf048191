"""Tiny random models of every family of causal language models, made from its config class on the fly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

VOCABULARY = 96
_SIZES = {
    2: "num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers num_encoder_layers "
    "num_decoder_layers depth num_layers_per_stack num_key_value_heads num_kv_heads swa_num_key_value_heads "
    "num_global_key_value_heads num_experts_per_tok moe_k moe_topk top_k_experts",
    4: "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads attention_heads "
    "num_encoder_attention_heads num_decoder_attention_heads swa_num_attention_heads linear_num_value_heads "
    "linear_num_key_heads linear_num_heads index_n_heads mamba_n_heads mamba_num_heads num_query_groups num_experts "
    "num_local_experts n_routed_experts moe_num_experts index_topk_blocks laurel_rank zero_expert_num "
    "qk_nope_head_dim qk_rope_head_dim rotary_dim patch_size",
    8: "head_dim d_head swa_head_dim linear_key_head_dim linear_value_head_dim linear_head_dim index_head_dim "
    "v_head_dim global_head_dim attention_head_size dim_head d_kv kv_channels mamba_headdim mamba_head_dim "
    "mamba_d_head attention_head_dim qk_head_dim kv_lora_rank q_lora_rank o_lora_rank router_hidden_size "
    "loop_gate_rank hc_lowrank gated_norm_rank adapter_rank sliding_window attention_window_size "
    "sliding_window_size local_attention attention_chunk_size image_size",
    16: "moe_intermediate_size shared_expert_intermediate_size expert_ffn_hidden_size "
    "moe_shared_expert_intermediate_size shared_intermediate_size shared_experts_intermediate_size "
    "hidden_size_per_layer_input mamba_d_state ssm_state_size state_size time_step_rank mamba_dt_rank",
    32: "hidden_size d_model n_embd dim embedding_dim emb_dim embedding_size word_embed_proj_dim "
    "input_embedding_size output_embedding_size attention_hidden_size lru_width hidden_size_global input_size "
    "backbone_hidden_size ple_embed_dim",
    64: "intermediate_size ffn_dim decoder_ffn_dim encoder_ffn_dim n_inner d_inner dff d_ff dim_ff ffn_hidden_size "
    "feed_forward_size intermediate_size_mlp dense_intermediate_size max_position_embeddings n_positions n_ctx "
    "max_seq_len max_target_positions max_source_positions model_max_length context_length "
    "original_max_position_embeddings num_position_embeddings index_topk",
    VOCABULARY: "vocab_size vocab_size_per_layer_input unpadded_vocab_size decoder_vocab_size",
}
_SIZE = {name: size for size, names in _SIZES.items() for name in names.split()}


def tiny_config(family: str, changes: dict[str, Any]) -> Any:
    """Return a family's own config with every size cut down, and `changes` where that does not fit together."""
    try:
        usual = CONFIG_MAPPING[family]().to_dict()
    except StrictDataclassError:  # a family whose own values are no config
        usual = {}
    values = _merged(_cut(usual), changes)
    return CONFIG_MAPPING[family](**values)


def save_tiny(family: str, changes: dict[str, Any], folder: Path) -> Any:
    """Write a tiny model of a family to a folder as transformers does, with the config of the whole; returns it."""
    config = tiny_config(family, changes)
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    parts = getattr(config, "sub_configs", {})
    part = next((name for name, kind in parts.items() if kind is model_class.config_class), None)
    torch.manual_seed(0)
    model = model_class(config if part is None else getattr(config, part)).eval()
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config.to_dict(), default=str))
    return model


def _cut(values: dict[str, Any]) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and (name.endswith("_config") or value.get("model_type")):
            cut[name] = _cut(value) | {key: value[key] for key in ("model_type",) if key in value}
        elif name in _SIZE and type(value) is int and value > 0:
            cut[name] = _SIZE[name]
        elif name.endswith(("token_id", "token_index")) and type(value) in (int, list):
            cut[name] = value if isinstance(value, int) and value < VOCABULARY - 6 else 1
    return cut


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, change in changes.items():
        before = merged.get(name)
        both = isinstance(change, dict) and isinstance(before, dict) and change
        merged[name] = _merged(before, change) if both else change  # type: ignore[arg-type]
    return {name: value for name, value in merged.items() if value != "as computed"}
