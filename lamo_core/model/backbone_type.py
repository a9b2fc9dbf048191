"""A causal language model taken apart, to run vectors or words through its trunk.

Shape suffixes: B batch, N rows, L trunk tokens, R of them that are read, T words, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.errors import UsageError
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.key_values import TrunkCache
from lamo_core.model.library import cache_name, takes, takes_any
from lamo_core.model.trunk import WordReader

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CacheKind = Literal["roomy", "own", "none"]


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
    reader: WordReader | None = None
    """All that follows the trunk, for a model that reads words with more than a matrix."""
    reads_words: bool = True
    """Whether its words can be read as transformers reads them."""
    cache_kind: CacheKind = "roomy"
    """Whose key-value cache it continues: ours, with room to grow; its own kind; or none that can drop rows."""
    told_positions: bool = True
    """Whether it is told positions; a trunk that counts from another number than 0 finds them itself."""
    changes_input: bool = False
    """Whether it writes into the vectors that it is given, and must be given copies."""
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
        if self.changes_input:
            tokens_NLD = tokens_NLD.clone()
        positions_1L = torch.arange(position, end, device=tokens_NLD.device).unsqueeze(0)
        table = getattr(self.model, "wpe", None)
        if not add_positions and table is not None:
            tokens_NLD = tokens_NLD - table(positions_1L)  # the trunk adds the same back
        told = {"position_ids": positions_1L} if self.told_positions and takes(self.model, "position_ids") else {}
        hidden_NLD, cache = self._forward(cache, use_cache, inputs_embeds=tokens_NLD, **told)
        return hidden_NLD if places is None else hidden_NLD[:, places], cache

    def next_words(self, ids_NT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Run words (N, T) through the trunk behind those in `cache`; returns hidden (N, T, D) and the cache."""
        if isinstance(self.model, Gpt2Trunk):
            cache = cache or self.new_cache()
            return self.model(self.word_table(ids_NT), cache), cache
        return self._forward(cache, True, input_ids=ids_NT)

    def new_cache(self) -> Any:
        """Return an empty key-value cache, or None where the trunk must make its own kind."""
        if isinstance(self.model, Gpt2Trunk):
            return TrunkCache(self.layers)
        if self.cache_kind != "roomy":
            return None
        from lamo_core.model.cache import roomy_cache

        return roomy_cache()

    def hidden(self, ids_BT: Tensor) -> Tensor:
        """Run words through the trunk with its own word and position embeddings: (B, T) to (B, T, D)."""
        if isinstance(self.model, Gpt2Trunk):
            return self.model(self.word_table(ids_BT))  # type: ignore[no-any-return]
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
