"""GPT-2 from its files, or with random weights that are the very ones transformers draws from the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.errors import DataError
from lamo_core.model.building import built, weights_hash
from lamo_core.model.folder import loaded_files
from lamo_core.model.gpt2.eight_bit import is_packed, read_packed
from lamo_core.model.gpt2.trunk import Block, Gpt2Shape, Gpt2Trunk, Projection
from lamo_core.model.hub import Located
from lamo_core.model.sizing.sizes import check_numbers, check_room, outline, stored_numbers
from lamo_core.wording import counted

_PREFIX = "transformer."
"""Of the trunk's tensors in files that hold a whole language model."""
_HEAD = "lm_head.weight"
_ODD: dict[str, Any] = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}
"""Settings that make another model of it when they are not these."""
_OTHER_NAMES = ("max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads")
"""What transformers takes in place of GPT-2's own names."""
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_inner": None,
    "layer_norm_epsilon": 1e-5, "initializer_range": 0.02, "activation_function": "gelu_new",
}  # fmt: skip
"""GPT-2's own, which a config.json need not repeat."""


def gpt2_shape(described: Mapping[str, Any], dropout: float, attention_dropout: float) -> Gpt2Shape | None:
    """Return the shape that a config.json describes; None for another family, or a GPT-2 with an unusual part.

    Raises `ValueError` for a description of no model.
    """
    odd = any(described.get(name, usual) != usual for name, usual in _ODD.items())
    if described["model_type"] != "gpt2" or odd or any(name in described for name in _OTHER_NAMES):
        return None
    values = {name: described.get(name, usual) for name, usual in _DEFAULTS.items()}
    wrong = [name for name, value in values.items() if not _fits(name, value)]
    if wrong:
        raise ValueError(f"its {wrong[0]} is none that a language model has")
    if values["n_embd"] % values["n_head"]:
        raise ValueError(f"its n_embd {values['n_embd']} is no multiple of its n_head {values['n_head']}")
    if values["activation_function"] != "relu" and not values["activation_function"].startswith("gelu"):
        return None
    return Gpt2Shape(
        vocab_size=values["vocab_size"],
        max_position_embeddings=values["n_positions"],
        hidden_size=values["n_embd"],
        num_hidden_layers=values["n_layer"],
        num_attention_heads=values["n_head"],
        n_inner=values["n_inner"] or 4 * values["n_embd"],
        layer_norm_epsilon=float(values["layer_norm_epsilon"]),
        initializer_range=float(values["initializer_range"]),
        activation_function=values["activation_function"],
        embd_pdrop=dropout,
        resid_pdrop=dropout,
        attn_pdrop=attention_dropout,
    )


def random_trunk(
    described: Mapping[str, Any], name: str, seed: int, dropout: float, attention_dropout: float
) -> Gpt2Trunk | None:
    """Return a trunk with random weights, None where `gpt2_shape` does; raises as `load_trunk` does."""
    shape = _checked_shape(described, name, dropout, attention_dropout)
    if shape is None:
        return None
    check_room(outline(lambda: Gpt2Trunk(shape)), name)
    torch.manual_seed(seed)
    return draw_trunk(shape)


def load_trunk(found: Located, dropout: float, attention_dropout: float) -> Gpt2Trunk | None:
    """Return a trunk with its weights, None where `gpt2_shape` does.

    Raises `DataError` for what is damaged or does not belong together, `DeviceError` where memory is too small.
    """
    shape = _checked_shape(found.config, found.name, dropout, attention_dropout)
    if shape is None:
        return None
    stored = stored_numbers(loaded_files(found.folder))
    check_room(outline(lambda: Gpt2Trunk(shape)), found.name, stored, whole=found.blocks is None)
    trunk: Gpt2Trunk = built(lambda: read_trunk(found, shape), found.name)
    return trunk


def _checked_shape(
    described: Mapping[str, Any], name: str, dropout: float, attention_dropout: float
) -> Gpt2Shape | None:
    if described["model_type"] != "gpt2":
        return None
    check_numbers(described, f"the config.json of {name}")
    shape: Gpt2Shape | None = built(lambda: gpt2_shape(described, dropout, attention_dropout), name)
    return shape


def read_trunk(found: Located, shape: Gpt2Shape) -> Gpt2Trunk:
    """Read a trunk in float32 from safetensors; what else the files hold, such as old buffers, is passed over.

    Raises `DataError` for missing tensors, and what reading raises for damaged files.
    """
    from safetensors.torch import load_file

    held: dict[str, Tensor] = {}
    files = loaded_files(found.folder)
    if is_packed(found.config):
        held = read_packed(files)
    else:
        for path in files:
            held |= load_file(path)
    held = {name.removeprefix(_PREFIX): value for name, value in held.items()}
    trunk = outline(lambda: Gpt2Trunk(shape))
    wanted = {name: value.shape for name, value in trunk.named_parameters()}
    missing = sorted(wanted.keys() - held.keys())
    if missing:
        raise DataError(f"{found.name} lacks {counted(len(missing), 'tensor')} such as {missing[0]}; get it again")
    for name, size in wanted.items():
        if held[name].shape != size:
            raise ValueError(f"{name} has the shape {tuple(held[name].shape)}, its config.json says {tuple(size)}")
    # copies: what is read straight from a file lies at any address, which slows matrix products down
    trunk.load_state_dict({name: held[name].to(torch.float32, copy=True) for name in wanted}, assign=True)
    return trunk.requires_grad_()


@torch.no_grad()
def draw_trunk(shape: Gpt2Shape) -> Gpt2Trunk:
    """Make a trunk with weights from the global random state, in the order in which transformers takes them."""
    trunk = Gpt2Trunk(shape)
    blocks = [module for module in trunk.h if isinstance(module, Block)]
    tables = (trunk.wte.weight, trunk.wpe.weight)
    for table in tables:  # drawn when a module is made, and again when the model is whole
        nn.init.normal_(table)
    for block in blocks:
        for layer in _projections(block):
            nn.init.normal_(layer.weight, std=0.02)
    for table in tables:
        nn.init.normal_(table, std=shape.initializer_range)
    for block in blocks:
        for layer in _projections(block):
            nn.init.normal_(layer.weight, std=shape.initializer_range)
            if layer in (block.attn.c_proj, block.mlp.c_proj):
                # less for what is added to the residual stream twice in every layer (GPT-2's paper)
                std = shape.initializer_range / (2 * shape.num_hidden_layers) ** 0.5
                nn.init.normal_(layer.weight, std=std)
    return trunk


def trunk_hash(trunk: Gpt2Trunk) -> str:
    """Return the SHA-256 of the weights, that of the whole model with its tied head."""
    named = {_PREFIX + name: value for name, value in trunk.state_dict().items()}
    return weights_hash({**named, _HEAD: trunk.wte.weight})


def _projections(block: Block) -> tuple[Projection, ...]:
    return block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj


def _fits(name: str, value: Any) -> bool:
    if name == "activation_function":
        return isinstance(value, str)
    if name in ("layer_norm_epsilon", "initializer_range"):
        return type(value) in (int, float) and value > 0
    return (name == "n_inner" and value is None) or (type(value) is int and value > 0)
