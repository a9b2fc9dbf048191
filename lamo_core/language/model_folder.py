"""A language model's folder: config.json, model.safetensors in half precision, tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from lamo_core.files import write_bytes


def language_model(shape: dict[str, int]) -> Any:
    """Return a GPT-2 language model (transformers' `GPT2LMHeadModel`) of a shape, with random weights.

    `shape` holds vocab_size, n_positions, n_embd, n_layer and n_head. No dropout; the tanh form of GELU in
    one kernel.
    """
    from transformers.models.gpt2.configuration_gpt2 import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

    config = GPT2Config(
        **shape,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
        attn_implementation="sdpa",
    )
    return GPT2LMHeadModel(config)


def export_model(model: Any, folder: Path) -> None:
    """Write config.json and model.safetensors (float16, no tied head) to `folder`; raises `StorageError`."""
    from safetensors.torch import save

    config = model.config
    shape = {name: getattr(config, name) for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")}
    description = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        **shape,
        "activation_function": "gelu_pytorch_tanh",
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "dtype": "float16",
    }
    weights = {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in model.state_dict().items()
        if name != "lm_head.weight"
    }
    write_bytes(folder / "model.safetensors", save(weights, metadata={"format": "pt"}), "--out FOLDER")
    write_bytes(folder / "config.json", (json.dumps(description, indent=2) + "\n").encode(), "--out FOLDER")
