"""Sizes of a trunk, read from its config without torch: what guesses of memory and disk are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lamo_core.config import LoraProjections, LoraTargets
from lamo_core.errors import LamoError
from lamo_core.model.hub import shape_of

_NAMES = {
    "width": ("hidden_size", "n_embd", "d_model", "dim"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "key_value_heads": ("num_key_value_heads", "num_kv_heads"),
    "head_width": ("head_dim",),
    "inner": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"),
    "vocabulary": ("vocab_size",),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
}
"""What the families' configs call a size."""
_TEXT = ("text_config", "llm_config")
"""Where models of more than text describe their language model."""


@dataclass(frozen=True)
class TrunkShape:
    """The sizes of a causal language model."""

    width: int
    layers: int
    attention: int
    """Features of all heads together."""
    key_values: int
    """Features of keys, and of values, which several heads may share."""
    inner: int
    """Width of the feed-forward layers."""
    vocabulary: int
    experts: int = 1
    """Feed-forward networks side by side."""
    gpt2: bool = True
    """Whether query, key and value are one matrix, and a feed-forward network has two and not three."""

    @property
    def weights(self) -> int:
        """Weights of the blocks."""
        return self.layers * sum(rows * columns for parts in self._matrices().values() for rows, columns in parts)

    @property
    def words(self) -> int:
        """Weights of the word table."""
        return self.vocabulary * self.width

    def adapter_weights(self, rank: int, targets: LoraTargets, projections: LoraProjections) -> int:
        """Return the weights of low-rank pairs on the chosen matrices of all blocks."""
        matrices = self._matrices()
        chosen = list(matrices["mlp"]) if targets in ("mlp", "all") else []
        if targets != "mlp":
            whole = (self.width, self.attention + 2 * self.key_values)
            chosen += [whole] if self.gpt2 and projections == "shared" else matrices["qkv"]
        if targets in ("attention-output", "all"):
            chosen += matrices["output"]
        return self.layers * rank * sum(rows + columns for rows, columns in chosen)

    def _matrices(self) -> dict[str, list[tuple[int, int]]]:
        """Return rows and columns of a block's matrices by part."""
        width, inner = self.width, self.inner
        return {
            "qkv": [(width, self.attention), (width, self.key_values), (width, self.key_values)],
            "output": [(self.attention, width)],
            "mlp": self.experts * [*(1 if self.gpt2 else 2) * [(width, inner)], (inner, width)],
        }


def trunk_shape(name: str) -> TrunkShape | None:
    """Return the sizes of a trunk by its name (`backbone_name`); None where they are not known on this machine."""
    try:
        return shape_from(shape_of(name))
    except LamoError:
        return None


def shape_from(config: Mapping[str, Any]) -> TrunkShape | None:
    """Return the sizes that a config.json tells; None where it tells no width or no number of layers."""
    nested: Mapping[str, Any] = next((config[key] for key in _TEXT if isinstance(config.get(key), dict)), {})
    sizes = {size: _first({**config, **nested}, keys) for size, keys in _NAMES.items()}
    width, layers, heads = sizes["width"], sizes["layers"], sizes["heads"] or 1
    if width is None or layers is None:
        return None
    head_width = sizes["head_width"] or max(1, width // heads)
    return TrunkShape(
        width=width,
        layers=layers,
        attention=heads * head_width,
        key_values=(sizes["key_value_heads"] or heads) * head_width,
        inner=sizes["inner"] or 4 * width,
        vocabulary=sizes["vocabulary"] or 0,
        experts=sizes["experts"] or 1,
        gpt2=config.get("model_type") == "gpt2",
    )


def _first(config: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    found = (config[key] for key in keys if type(config.get(key)) is int and config[key] > 0)
    return next(found, None)
