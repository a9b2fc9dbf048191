"""The language model as a trunk: loading it, running vectors or words through it.

Shape suffixes: B batch, N rows, L trunk tokens, T words, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.errors import DataError, UsageError
from lamo_core.model.eight_bit import is_packed, read_packed
from lamo_core.model.gpt2 import Gpt2Shape, Gpt2Trunk
from lamo_core.model.gpt2_weights import draw_trunk, gpt2_shape, read_trunk, trunk_hash, weights_hash
from lamo_core.model.hub import RANDOM, Located, available_backbones, locate, shape_of
from lamo_core.model.key_values import TrunkCache
from lamo_core.model.library import cache_name, takes_positions, without_loading_report

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "Backbone",
    "available_backbones",
    "load_backbone",
    "next_token_loss",
    "token_embeddings",
]


@dataclass
class Backbone:
    """A causal language model taken apart: the trunk, its word table and what identifies it."""

    name: str
    content_hash: str
    """SHA-256 of the weights file(s); for random weights of the weights themselves."""
    model: nn.Module
    """The trunk without its head: `Gpt2Trunk`, or transformers' `LlamaModel` and so on."""
    family: str
    width: int
    layers: int
    positions: int
    """Longest sequence the trunk can take."""
    untied_head: nn.Module | None = None
    """The head of a model that does not read words with its own word table."""
    tokenizer: Tokenizer | None = None

    @property
    def word_table(self) -> nn.Embedding:
        """The table of word embeddings (V, D)."""
        return self.model.get_input_embeddings()  # type: ignore[no-any-return, operator]

    def run(
        self,
        tokens_NLD: Tensor,
        *,
        position: int = 0,
        cache: Any = None,
        use_cache: bool = False,
        add_positions: bool = True,
        places: slice | None = None,
    ) -> tuple[Tensor, Any]:
        """Run vectors through the trunk; returns hidden (N, R, D) and the cache (None without `use_cache`).

        `position` is that of the first vector, the number of tokens in `cache`. `add_positions=False`
        leaves out the trunk's table of position embeddings; trunks with rotary positions have no table and
        ignore it. `places` are the R of the L tokens that are read, None all; GPT-2's last block is not computed for
        the others. Raises `UsageError` when the sequence is longer than the table.
        """
        end = position + tokens_NLD.shape[1]
        if end > self.positions:
            raise UsageError(
                f"{self.name} takes {self.positions} tokens, this needs {end}; set a smaller model.context"
            )
        if use_cache and cache is None:
            cache = self.new_cache()
        if isinstance(self.model, Gpt2Trunk):
            return self.model(tokens_NLD, cache, add_positions=add_positions, places=places), cache
        positions_1L = torch.arange(position, end, device=tokens_NLD.device).unsqueeze(0)
        table = getattr(self.model, "wpe", None)
        if not add_positions and table is not None:
            tokens_NLD = tokens_NLD - table(positions_1L)  # the trunk adds the same back
        hidden_NLD, cache = self._forward(
            cache, use_cache, inputs_embeds=tokens_NLD, **self._position_ids(positions_1L)
        )
        return hidden_NLD if places is None else hidden_NLD[:, places], cache

    def next_words(self, ids_NT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Run words (N, T) through the trunk behind those in `cache`; returns hidden (N, T, D) and the cache."""
        if isinstance(self.model, Gpt2Trunk):
            cache = cache or self.new_cache()
            return self.model(self.word_table(ids_NT), cache), cache
        return self._forward(cache, True, input_ids=ids_NT)

    def _forward(self, cache: Any, use_cache: bool, **inputs: Tensor) -> tuple[Tensor, Any]:
        name = cache_name(self.model)
        if name is not None:
            inputs[name] = cache
        output = self.model(use_cache=use_cache, **inputs)
        return output.last_hidden_state, getattr(output, name) if use_cache and name is not None else None

    def new_cache(self) -> Any:
        """Return an empty key-value cache, or None where the trunk must make its own kind."""
        if isinstance(self.model, Gpt2Trunk):
            return TrunkCache(self.layers)
        config: Any = self.model.config
        if getattr(config, "sliding_window", None) is not None or getattr(config, "layer_types", None):
            return None
        from lamo_core.model.cache import roomy_cache

        return roomy_cache()

    def hidden(self, ids_BT: Tensor) -> Tensor:
        """Run words through the trunk with its own word and position embeddings: (B, T) to (B, T, D)."""
        if isinstance(self.model, Gpt2Trunk):
            return self.model(self.word_table(ids_BT))  # type: ignore[no-any-return]
        return self.model(input_ids=ids_BT, use_cache=False).last_hidden_state  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """Read words from hidden vectors: (…, D) to (…, V)."""
        if self.untied_head is not None:
            return self.untied_head.to(hidden.device)(hidden)  # type: ignore[no-any-return]
        return F.linear(hidden, self.word_table.weight)

    def _position_ids(self, positions_1L: Tensor) -> dict[str, Tensor]:
        return {"position_ids": positions_1L} if takes_positions(self.model) else {}


def load_backbone(name: str, *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0) -> Backbone:
    """Load a language model in float32, with SDPA attention and the tanh form of GELU in one kernel.

    `name` is `mini`, `smollm2-135m`, a hub id in the cache, a folder, or `random:<name>` for the same shape
    with weights drawn from `seed`. `dropout` acts on embeddings and residual branches (GPT-2 only; other
    families have none), `attention_dropout` on attention weights. Only safetensors are read and no code of
    a model is run. The global random state is left as it was. Raises `MissingError` with the command that
    gets a model, `DataError` for a damaged one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name.startswith(RANDOM):
            return _drawn(name, shape_of(name.removeprefix(RANDOM)), dropout, attention_dropout)
        found = locate(name)
        backbone = _read(found, dropout, attention_dropout)
    if (found.folder / "tokenizer.json").is_file():
        from lamo_core.language.tokenizer import load_tokenizer

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


def _drawn(name: str, described: dict[str, Any], dropout: float, attention_dropout: float) -> Backbone:
    shape = _gpt2_shape(described, name, dropout, attention_dropout)
    if shape is not None:
        trunk = draw_trunk(shape)
        return _of_gpt2(name, trunk, trunk_hash(trunk))
    causal = _causal_model(_config(described, name, dropout, attention_dropout))
    return _take_apart(name, causal, weights_hash(causal.state_dict()))


def _read(found: Located, dropout: float, attention_dropout: float) -> Backbone:
    from safetensors import SafetensorError

    shape = _gpt2_shape(found.config, found.name, dropout, attention_dropout)
    damage = (OSError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError, SafetensorError)
    try:
        if shape is not None:
            return _of_gpt2(found.name, read_trunk(found, shape), found.content_hash())
        causal = _load(found, _config(found.config, found.name, dropout, attention_dropout))
    except damage as error:
        raise DataError(f"{found.name} could not be loaded ({_one_line(error)}); get it again") from error
    return _take_apart(found.name, causal, found.content_hash())


def _gpt2_shape(described: dict[str, Any], name: str, dropout: float, attention_dropout: float) -> Gpt2Shape | None:
    try:
        return gpt2_shape(described, dropout, attention_dropout)
    except ValueError as error:
        raise DataError(f"the config.json of {name} is damaged ({_one_line(error)}); get it again") from error


def _of_gpt2(name: str, trunk: Gpt2Trunk, content_hash: str) -> Backbone:
    shape = trunk.config
    width, layers, positions = shape.hidden_size, shape.num_hidden_layers, shape.max_position_embeddings
    return Backbone(name, content_hash, trunk, shape.model_type, width=width, layers=layers, positions=positions)


def _config(described: dict[str, Any], name: str, dropout: float, attention_dropout: float) -> Any:
    values = {key: value for key, value in described.items() if key not in ("dtype", "torch_dtype", "weights")}
    family = values.pop("model_type")
    if family == "gpt2":
        from transformers.models.gpt2.configuration_gpt2 import GPT2Config

        try:
            config: Any = GPT2Config(**values)
        except Exception as error:  # what a damaged description makes the library raise has no end
            raise DataError(f"the config.json of {name} is damaged ({_one_line(error)}); get it again") from error
        if config.activation_function.startswith("gelu"):
            config.activation_function = "gelu_pytorch_tanh"  # the same function as gelu_new, in one kernel
        config.embd_pdrop = config.resid_pdrop = dropout
        config.attn_pdrop = attention_dropout
    else:
        from transformers import AutoConfig

        try:
            config = AutoConfig.for_model(family, **values)
        except (ValueError, KeyError) as error:
            raise DataError(f"{name} is of the family {family!r}, which transformers does not know") from error
        except Exception as error:
            raise DataError(f"the config.json of {name} is damaged ({_one_line(error)}); get it again") from error
        if hasattr(config, "attention_dropout"):
            config.attention_dropout = attention_dropout
    config.use_cache = False
    config._attn_implementation = "sdpa"
    return config


def _causal_class(config: Any) -> Any:
    if config.model_type == "gpt2":
        from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

        return GPT2LMHeadModel
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    try:
        return MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    except KeyError as error:
        raise DataError(f"the family {config.model_type!r} is not a causal language model; use one that is") from error


def _causal_model(config: Any) -> Any:
    return _causal_class(config)(config).float()


def _load(found: Located, config: Any) -> Any:
    from transformers.utils import logging

    logging.disable_progress_bar()
    # from_pretrained takes a folder or weights in memory, not both
    weights = read_packed(found.weights) if is_packed(found.config) else None
    with without_loading_report():  # old buffers in the file are none of the user's concern
        model, report = _causal_class(config).from_pretrained(
            None if weights is not None else str(found.folder),
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise DataError(f"{found.name} lacks {len(missing)} tensors such as {missing[0]}; get it again")
    return model


def _take_apart(name: str, causal: Any, content_hash: str) -> Backbone:
    config, trunk = causal.config, causal.base_model
    head = causal.get_output_embeddings()
    if trunk is causal or head is None:
        raise DataError(f"{name} is not a causal language model with a word head; use one that is")
    tied = head.weight is trunk.get_input_embeddings().weight
    return Backbone(
        name=name,
        content_hash=content_hash,
        model=trunk,
        family=config.model_type,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        positions=int(getattr(config, "max_position_embeddings", 1 << 30)),
        untied_head=None if tied else head.requires_grad_(False),
    )


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
