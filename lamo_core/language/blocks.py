"""Blocks of words for the language loss: from the model itself, a text file or WikiText-103.

Shape suffixes: B rows of a batch, S rows that are drawn, T words of a block, N words of a corpus, V
vocabulary.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lamo_core.config import LanguageConfig
from lamo_core.errors import MissingError, UsageError
from lamo_core.files import write_bytes
from lamo_core.install_hint import hint
from lamo_core.language.corpora import TokenArray, documents, encode_documents, read_text
from lamo_core.language.tokenizer import end_of_text_id
from lamo_core.network import hub_reached
from lamo_core.places import cache_dir
from lamo_core.untrusted.npy_array import map_npy
from lamo_core.untrusted.parsing import parse_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WIKITEXT = "wikitext-103"
_WIKITEXT_AT = ("Salesforce/wikitext", "wikitext-103-raw-v1")
_ROWS_AT_ONCE = 64


class LanguageModel(Protocol):
    """What drawing words needs of a backbone."""

    name: str
    content_hash: str
    positions: int
    tokenizer: Tokenizer | None
    model: torch.nn.Module

    def require_words(self, advice: str) -> None:
        """Raise `UsageError` with the advice where words cannot be read."""

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Read words from hidden vectors."""

    def new_cache(self) -> Any:
        """Return an empty key-value cache or None."""

    def next_words(self, ids_NT: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        """Return hidden vectors of words behind those in the cache, and the cache."""


class TokenBlocks:
    """A seeded stream of blocks (B, T) of word ids, drawn with replacement from a stream of words."""

    def __init__(self, words_N: TokenArray, stride: int, config: LanguageConfig, seed: int) -> None:
        """Blocks begin at every `stride`-th word; raises `UsageError` when not one of them fits."""
        self._words_N, self._stride = words_N, stride
        self._batch_size, self._block_size = config.batch_size, config.block_size
        self._starts = (len(words_N) - config.block_size) // stride + 1
        if self._starts < 1:
            raise UsageError(f"{config.source} gives {len(words_N)} tokens; lower language.block_size to fit")
        self._generator = np.random.default_rng([seed, 0x6C616E67])

    def sample(self) -> torch.Tensor:
        """Draw the next batch: (B, T) int64."""
        starts_B = self._generator.integers(self._starts, size=self._batch_size) * self._stride
        ids_BT = self._words_N[starts_B[:, None] + np.arange(self._block_size)]
        return torch.from_numpy(ids_BT.astype(np.int64))

    def state_dict(self) -> dict[str, str]:
        """Return the generator's state as JSON text."""
        return {"generator": json.dumps(self._generator.bit_generator.state)}

    def load_state_dict(self, state: dict[str, str]) -> None:
        """Go on from a saved state; raises `ValueError` when it is none."""
        self._generator.bit_generator.state = parse_json(state["generator"])


def open_blocks(config: LanguageConfig, backbone: LanguageModel, *, seed: int) -> TokenBlocks:
    """Return the blocks that a configuration names; what took long to make is kept in the cache.

    For `self` the backbone must still be as it was loaded: before adapters, in memory of the CPU or a GPU.
    Raises `UsageError` for blocks longer than the backbone takes, `MissingError` without the text, the
    corpus or a tokenizer.
    """
    size = config.block_size
    backbone.require_words("set language.weight = 0")
    if size > backbone.positions:
        raise UsageError(f"{backbone.name} takes {backbone.positions} tokens; set language.block_size to fit")
    if config.source == "self":
        words_N = _own_words(config, backbone, seed)
        return TokenBlocks(words_N, size, config, seed)
    if config.source == WIKITEXT:
        words_N = _corpus_words("wikitext-103-raw-v1 train", backbone, _wikitext)
    else:
        text = read_text(Path(config.source).expanduser())
        key = hashlib.sha256(text.encode()).hexdigest()
        words_N = _corpus_words(key, backbone, lambda: documents(text))
    return TokenBlocks(words_N, 1, config, seed)


@torch.no_grad()
def draw_words(backbone: LanguageModel, rows: int, length: int, seed: int) -> NDArray[np.int64]:
    """Draw texts (S, T) from a language model at temperature 1, each from the end-of-text token on.

    Seeded; the model's training mode is restored and its keys and values are cached, so a word costs one
    pass of one token. Raises `MissingError` when the model has no tokenizer to name the first token.
    """
    start = end_of_text_id(_tokenizer(backbone))
    was_training = backbone.model.training
    backbone.model.eval()
    generator = torch.Generator().manual_seed(seed)
    device = next(backbone.model.parameters()).device
    ids_ST = torch.full((rows, length), start, dtype=torch.int64)
    cache = backbone.new_cache()
    for position in range(1, length):
        hidden_S1D, cache = backbone.next_words(ids_ST[:, position - 1 : position].to(device), cache)
        logits_SV = backbone.logits(hidden_S1D[:, -1]).float().cpu()
        cumulative_SV = logits_SV.softmax(-1).cumsum(-1)
        levels_S1 = torch.rand(rows, 1, generator=generator) * cumulative_SV[:, -1:]
        ids_ST[:, position] = torch.searchsorted(cumulative_SV, levels_S1).clamp(max=cumulative_SV.shape[1] - 1)[:, 0]
    backbone.model.train(was_training)
    return ids_ST.numpy()


def _own_words(config: LanguageConfig, backbone: LanguageModel, seed: int) -> TokenArray:
    key = f"{backbone.content_hash} self {config.blocks} {config.block_size} {seed}"

    def draw() -> NDArray[np.uint32]:
        parts = []
        for done in range(0, config.blocks, _ROWS_AT_ONCE):
            rows = min(_ROWS_AT_ONCE, config.blocks - done)
            parts.append(draw_words(backbone, rows, config.block_size, seed + done))
        return np.concatenate(parts).reshape(-1).astype(np.uint32)

    return _cached(key, draw)


def _corpus_words(source: str, backbone: LanguageModel, texts: Callable[[], list[str]]) -> TokenArray:
    tokenizer = _tokenizer(backbone)
    vocabulary = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()
    return _cached(f"{source} {vocabulary}", lambda: encode_documents(tokenizer, texts()))


def _cached(key: str, make: Callable[[], TokenArray]) -> TokenArray:
    path = cache_dir() / "words" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    try:
        return map_npy(path)
    except (OSError, ValueError):
        pass  # not there, or cut off by a full disk: make it anew
    words = make()
    file = io.BytesIO()
    np.save(file, words, allow_pickle=False)
    write_bytes(path, file.getvalue(), "LAMO_CACHE")
    return words


def _tokenizer(backbone: LanguageModel) -> Tokenizer:
    if backbone.tokenizer is None:
        raise MissingError(
            f"{backbone.name} has no tokenizer.json beside its weights, so it cannot read text; set language.weight = 0"
        )
    return backbone.tokenizer


def _wikitext() -> list[str]:
    try:
        import datasets
    except ImportError as error:
        raise MissingError(f"WikiText-103 needs the extra hub; get it with: {hint('hub')}") from error
    before = datasets.config.HF_HUB_OFFLINE
    with hub_reached() as problem:
        datasets.config.HF_HUB_OFFLINE = before or bool(problem)
        try:
            rows: Iterable[str] = datasets.load_dataset(*_WIKITEXT_AT, split="train")["text"]
        except Exception as error:  # offline, no such repository, a broken download: many libraries' errors
            raise MissingError(
                f"WikiText-103 is not on this machine{problem and f' and {problem}'}; get it online with: "
                "hf download --repo-type dataset Salesforce/wikitext (or set language.source = self)"
            ) from error
        finally:
            datasets.config.HF_HUB_OFFLINE = before
    return documents("\n".join(rows))
