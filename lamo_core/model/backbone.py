"""Language models by name, as trunks that vectors or words run through.

Shape suffixes: B batch, T words, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.errors import DataError, UsageError
from lamo_core.language.tokenizer import load_tokenizer
from lamo_core.model.backbone_type import Backbone
from lamo_core.model.building import dropout_settings, load_model, random_model, weights_hash
from lamo_core.model.drawn_weights import draw_scaled, shuffle_entries
from lamo_core.model.examination import check_outputs, examine
from lamo_core.model.folder import model_file
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.gpt2.weights import load_trunk, random_trunk, trunk_hash
from lamo_core.model.hub import Located, available_backbones, locate, shape_of
from lamo_core.model.trunk import trunk_of
from lamo_core.settings.backbone_name import BackboneName, parse_backbone
from lamo_core.wording import counted

__all__ = [
    "Backbone",
    "available_backbones",
    "load_backbone",
    "next_token_loss",
    "token_embeddings",
]


def load_backbone(name: str, *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0) -> Backbone:
    """Load a language model in float32, with SDPA attention where it has that, and try what it does.

    `name` is what `backbone_name` takes apart; weights that are not the trained ones are drawn from `seed`. `dropout`
    acts on embeddings and residual branches (families such as Llama have none), `attention_dropout` on attention
    weights. Only safetensors are read and no code of a model is run. The global random state is left as it was. Raises
    `MissingError` with the command that gets a model, `DataError` for one that is damaged or that cannot be a trunk,
    `UsageError` for blocks that it does not have, `DeviceError` for one that does not fit the memory.
    """
    with torch.random.fork_rng(devices=[]):
        asked = parse_backbone(name)
        with _blamed_on_cutting(asked):
            if asked.weights == "random":
                return _random(name, shape_of(name), seed, dropout, attention_dropout)
            found = locate(name)
            backbone = _read(asked, found, seed, dropout, attention_dropout)
    if model_file(found.folder, "tokenizer.json") is not None:
        backbone.tokenizer = load_tokenizer(found.folder / "tokenizer.json")
    return backbone


def token_embeddings(backbone: Backbone, ids_BT: Tensor) -> Tensor:
    """Look words up in the trunk's word table: (B, T) int64 to (B, T, D)."""
    return backbone.word_table(ids_BT)  # type: ignore[no-any-return]


def next_token_loss(backbone: Backbone, ids_BT: Tensor) -> Tensor:
    """Return the mean next-token cross-entropy (nats) of word ids (B, T) through the trunk as adapted."""
    hidden_BTD = backbone.hidden(ids_BT[:, :-1])
    logits_BTV = backbone.logits(hidden_BTD)
    return F.cross_entropy(logits_BTV.flatten(0, 1).float(), ids_BT[:, 1:].flatten())


def take_apart(name: str, causal: Any, content_hash: str) -> Backbone:
    """Return a causal model's trunk as a backbone, its head beside it if that is not the word table; not tried yet."""
    trunk, config = trunk_of(causal, name), causal.config.get_text_config()
    head = causal.get_output_embeddings()
    tied = head is not None and head.weight is trunk.get_input_embeddings().weight  # type: ignore[operator]
    return Backbone(
        name=name,
        content_hash=content_hash,
        model=trunk,
        family=config.model_type,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        positions=_positions(config),
        untied_head=None if tied or head is None else head.requires_grad_(False),
    )


@contextmanager
def _blamed_on_cutting(asked: BackboneName) -> Iterator[None]:
    """Say of a trunk that cannot be built, or lacks something, that a number of blocks was asked for."""
    try:
        yield
    except DataError as error:
        if asked.blocks is None:
            raise
        raise UsageError(
            f"the first {counted(asked.blocks, 'block')} of {asked.model} cannot be taken: {error}; or take all of it, "
            f"model.backbone={replace(asked, blocks=None)}"
        ) from error


def _random(name: str, described: dict[str, Any], seed: int, dropout: float, attention_dropout: float) -> Backbone:
    trunk = random_trunk(described, name, seed, dropout, attention_dropout)
    if trunk is not None:
        return _of_gpt2(name, trunk, trunk_hash(trunk))
    causal = random_model(described, name, seed, dropout, attention_dropout)
    return _tried(take_apart(name, causal, weights_hash(causal.state_dict())), causal, dropout)


def _read(asked: BackboneName, found: Located, seed: int, dropout: float, attention_dropout: float) -> Backbone:
    rates, name = (dropout, attention_dropout), str(asked)
    trunk = load_trunk(found, *rates)
    if trunk is not None:
        drawn = _redraw(asked, trunk, lambda: random_trunk(found.config, name, seed, *rates), seed)
        return _of_gpt2(name, trunk, trunk_hash(trunk) if drawn else found.content_hash())
    causal = load_model(found, *rates)
    drawn = _redraw(asked, causal, lambda: random_model(found.config, name, seed, *rates), seed)
    content_hash = weights_hash(causal.state_dict()) if drawn else found.content_hash()
    return _tried(take_apart(name, causal, content_hash), causal, dropout)


def _redraw(asked: BackboneName, model: nn.Module, fresh: Callable[[], Any], seed: int) -> bool:
    """Draw a trained model's weights anew where that is asked for; returns whether it is."""
    if asked.weights == "scaled":
        draw_scaled(model, fresh, seed)
    elif asked.weights == "permuted":
        shuffle_entries(model, seed)
    return asked.weights != "trained"


def _of_gpt2(name: str, trunk: Gpt2Trunk, content_hash: str) -> Backbone:
    """Return our own trunk as a backbone; how it attends is known, what its weights make of vectors is not."""
    shape = trunk.config
    width, layers, positions = shape.hidden_size, shape.num_hidden_layers, shape.max_position_embeddings
    backbone = Backbone(name, content_hash, trunk, shape.model_type, width=width, layers=layers, positions=positions)
    check_outputs(backbone)
    return backbone


def _positions(config: Any) -> int:
    longest = getattr(config, "max_position_embeddings", None)
    return longest if isinstance(longest, int) and longest > 0 else 1 << 30


def _tried(backbone: Backbone, causal: Any, dropout: float) -> Backbone:
    examine(backbone, causal)
    if dropout and "dropout" not in dropout_settings(causal.config):
        backbone.notes += ("no dropout in its family",)
    return backbone
