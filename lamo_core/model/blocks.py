"""The first blocks of a trunk: a model's config.json, changed so that it describes fewer layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamo_core.errors import UsageError
from lamo_core.wording import counted

_LAYERS = ("n_layer", "num_hidden_layers", "num_layers", "n_layers", "decoder_layers")
"""What families call the number of their blocks."""
_TEXT = ("text_config", "llm_config")
"""Where models of more than text describe their language model."""
_USUAL = {"gpt2": 12}
"""What a family has where its description does not say."""


def first_blocks(config: Mapping[str, Any], blocks: int, name: str) -> dict[str, Any]:
    """Return the description of the first `blocks` blocks of a model; its weights file may hold more.

    Lists with an entry for every layer are cut too. Raises `UsageError` where it has fewer, or does not say.
    """
    nested = next((key for key in _TEXT if isinstance(config.get(key), dict)), None)
    if nested is not None:
        return {**config, nested: first_blocks(config[nested], blocks, name)}
    usual = _USUAL.get(str(config.get("model_type")))
    counts = {key: config[key] for key in _LAYERS if type(config.get(key)) is int} or (
        {} if usual is None else {_LAYERS[0]: usual}
    )
    if not counts:
        raise UsageError(f"the config.json of {name} does not say how many blocks it has; leave :{blocks} out")
    layers = next(iter(counts.values()))
    if not 1 <= blocks <= layers:
        raise UsageError(f"{name} has {counted(layers, 'block')}, so its first {blocks} cannot be taken")
    cut = {key: value[:blocks] if _per_layer(key, value, layers) else value for key, value in config.items()}
    kinds = config.get("attention_types")  # GPT-Neo's shorthand: [[[kinds], how often], ...]
    if isinstance(kinds, list):
        spread = [kind for names, times in kinds for _ in range(times) for kind in names]
        cut["attention_types"] = [[[kind], 1] for kind in spread[:blocks]]
    return cut | dict.fromkeys(counts, blocks)


def _per_layer(key: str, value: Any, layers: int) -> bool:
    return ("layer" in key or "pattern" in key) and isinstance(value, list) and len(value) == layers
