"""The language model as a trunk: loading it, running vectors or words through it.

Shape suffixes: B batch, N rows, L trunk tokens, T words, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.errors import UsageError
from lamo_core.model.building import dropout_settings, load_model, random_model, weights_hash
from lamo_core.model.examination import examine
from lamo_core.model.folder import model_file
from lamo_core.model.hub import RANDOM, available_backbones, locate, shape_of
from lamo_core.model.library import cache_name, takes, takes_any
from lamo_core.model.trunk import WordReader, trunk_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "Backbone",
    "available_backbones",
    "load_backbone",
    "next_token_loss",
    "token_embeddings",
]

CacheKind = Literal["roomy", "own", "none"]


@dataclass
class Backbone:
    """A causal language model taken apart: the trunk, its word table and what identifies it."""

    name: str
    content_hash: str
    """SHA-256 of the weights file(s); for random weights of the weights themselves."""
    model: nn.Module
    """The trunk without its head, transformers' `GPT2Model`, `LlamaModel` and so on."""
    family: str
    width: int
    layers: int
    positions: int
    """Longest sequence the trunk can take."""
    untied_head: nn.Module | None = None
    """The head of a model that does not read words with its own word table."""
    tokenizer: Tokenizer | None = None
    reader: WordReader | None = None
    """All that follows the trunk, for a model that reads words with more than a matrix."""
    reads_words: bool = True
    """Whether its words can be read as transformers reads them."""
    cache_kind: CacheKind = "roomy"
    """Whose key-value cache it continues: ours, with room to grow; its own kind; or none that can drop rows."""
    told_positions: bool = True
    """Whether it is told positions; a trunk that counts from another number than 0 finds them itself."""
    idle: frozenset[str] = frozenset()
    """Places of modules that trajectories do not run through, such as an image encoder's (`trunk.place`)."""
    notes: tuple[str, ...] = ()
    """What runs otherwise than in most trunks, in a few words each."""

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
    ) -> tuple[Tensor, Any]:
        """Run vectors through the trunk; returns hidden (N, L, D) and the cache (None without `use_cache`).

        `position` is that of the first vector, the number of tokens in `cache`. `add_positions=False`
        leaves out the trunk's table of position embeddings; trunks with rotary positions have no table and
        ignore it. Raises `UsageError` when the sequence is longer than the table.
        """
        end = position + tokens_NLD.shape[1]
        if end > self.positions:
            raise UsageError(
                f"{self.name} takes {self.positions} tokens, this needs {end}; set a smaller model.context"
            )
        positions_1L = torch.arange(position, end, device=tokens_NLD.device).unsqueeze(0)
        table = getattr(self.model, "wpe", None)
        if not add_positions and table is not None:
            tokens_NLD = tokens_NLD - table(positions_1L)  # the trunk adds the same back
        if use_cache and cache is None:
            cache = self.new_cache()
        told = {"position_ids": positions_1L} if self.told_positions and takes(self.model, "position_ids") else {}
        return self._forward(cache, use_cache, inputs_embeds=tokens_NLD, **told)

    def next_words(self, ids_NT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Run words (N, T) through the trunk behind those in `cache`; returns hidden (N, T, D) and the cache."""
        return self._forward(cache, True, input_ids=ids_NT)

    def new_cache(self) -> Any:
        """Return an empty key-value cache, or None where the trunk must make its own kind."""
        if self.cache_kind != "roomy":
            return None
        from lamo_core.model.cache import roomy_cache

        return roomy_cache()

    def hidden(self, ids_BT: Tensor) -> Tensor:
        """Run words through the trunk with its own word and position embeddings: (B, T) to (B, T, D)."""
        return self._forward(None, False, input_ids=ids_BT)[0]

    def logits(self, hidden: Tensor) -> Tensor:
        """Read words from hidden vectors: (…, D) to (…, V); raises `UsageError` as `require_words` does."""
        self.require_words("choose another model.backbone")
        if self.reader is not None:
            return self.reader.to(hidden.device)(hidden)  # type: ignore[no-any-return]
        if self.untied_head is not None:
            return self.untied_head.to(hidden.device)(hidden)  # type: ignore[no-any-return]
        return F.linear(hidden, self.word_table.weight)

    def require_words(self, advice: str) -> None:
        """Raise `UsageError` with the advice for a model whose words cannot be read apart from its trunk."""
        if not self.reads_words:
            raise UsageError(
                f"the words of {self.name} cannot be read from its trunk as transformers reads them; {advice}"
            )

    def _forward(self, cache: Any, use_cache: bool, **inputs: Any) -> tuple[Tensor, Any]:
        name = cache_name(self.model)
        if name is not None:
            inputs[name] = cache
        if takes(self.model, "use_cache") or takes_any(self.model):
            inputs["use_cache"] = use_cache
        output = self.model(**inputs)
        return output.last_hidden_state, getattr(output, name) if use_cache and name is not None else None


def load_backbone(name: str, *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0) -> Backbone:
    """Load a language model in float32, with SDPA attention where it has that, and try what it does.

    `name` is `mini`, `smollm2-135m`, a hub id in the cache, a folder, or `random:<name>` for the same shape
    with weights drawn from `seed`. `dropout` acts on embeddings and residual branches (families such as Llama have
    none), `attention_dropout` on attention weights. Only safetensors are read and no code of a model is run. The global
    random state is left as it was. Raises `MissingError` with the command that gets a model, `DataError` for one that
    is damaged or that cannot be a trunk, `DeviceError` for one that does not fit the memory.
    """
    with torch.random.fork_rng(devices=[]):
        if name.startswith(RANDOM):
            shape = shape_of(name.removeprefix(RANDOM))
            causal = random_model(shape, name, seed, dropout, attention_dropout)
            return _tried(take_apart(name, causal, weights_hash(causal)), causal, dropout)
        found = locate(name)
        causal = load_model(found, dropout, attention_dropout)
        backbone = _tried(take_apart(name, causal, found.content_hash()), causal, dropout)
    if model_file(found.folder, "tokenizer.json") is not None:
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


def _positions(config: Any) -> int:
    longest = getattr(config, "max_position_embeddings", None)
    return longest if isinstance(longest, int) and longest > 0 else 1 << 30


def _tried(backbone: Backbone, causal: Any, dropout: float) -> Backbone:
    examine(backbone, causal)
    if dropout and "dropout" not in dropout_settings(causal.config):
        backbone.notes += ("no dropout in its family",)
    return backbone
