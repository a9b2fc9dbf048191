"""Perplexity of a text, per token and per word, by a language model and by n-grams of the same tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from lamo_core.errors import MissingError
from lamo_core.language.corpora import documents, encode_documents, read_text, split_documents
from lamo_core.language.ngram import KneserNey, Unigram
from lamo_core.language.tokenizer import end_of_text_id
from lamo_core.model.backbone import Backbone

NGRAM_ORDER = 4
METHOD = (
    "All models score the same tokens of the whole text, joined as it is, after one end-of-text token. The "
    "network reads windows of its full length; each window but the first scores only its newer half, so every "
    "token is scored once, with at least half a window before it. Per token: exp(nats / tokens). Per word: "
    "exp(nats / words), where words are split at white space and each line end counts as one."
)


@dataclass(frozen=True)
class Perplexity:
    """How well a model predicts a text; `nats` is the total negative log-likelihood."""

    nats: float
    tokens: int
    words: int

    @property
    def per_token(self) -> float:
        """Depends on the tokenizer: compare only models that share one."""
        return math.exp(self.nats / self.tokens)

    @property
    def per_word(self) -> float:
        """Comparable between models with different tokenizers."""
        return math.exp(self.nats / self.words)


def measure(backbone: Backbone, text: Path, trained_on: Path | None = None) -> dict[str, Perplexity]:
    """Measure a backbone on a text file, beside n-grams when the text it was trained on is given.

    The n-grams count the tokens that `lamo pretrain` trains on. Raises `MissingError` without a file or a
    tokenizer.
    """
    if backbone.tokenizer is None:
        raise MissingError(f"{backbone.name} has no tokenizer.json beside its weights, so it cannot read text")
    content = read_text(text)
    words = len(content.split()) + content.count("\n")
    encoded = backbone.tokenizer.encode(content, add_special_tokens=False)
    ids = np.array(encoded.ids, dtype=np.int64)
    start = end_of_text_id(backbone.tokenizer)
    results = {backbone.name: Perplexity(network_nats(backbone, ids, start), len(ids), words)}
    if trained_on is None:
        return results
    train_texts, _ = split_documents(documents(read_text(trained_on)))
    train = encode_documents(backbone.tokenizer, train_texts).astype(np.int64)
    vocabulary = backbone.tokenizer.get_vocab_size()
    unigram, ngram = Unigram(train, vocabulary), KneserNey(train, vocabulary, NGRAM_ORDER, start)
    results["unigram"] = Perplexity(unigram.nats(ids), len(ids), words)
    results[f"{NGRAM_ORDER}-gram"] = Perplexity(ngram.nats(ids), len(ids), words)
    return results


@torch.no_grad()
def network_nats(backbone: Backbone, ids: NDArray[np.int64], start: int) -> float:
    """Return the total nats of a token stream by strided windows, as `METHOD` says."""
    window = min(backbone.positions, 1024)
    stride = max(1, window // 2)
    stream = torch.from_numpy(np.concatenate([[start], ids]))
    device = backbone.word_table.weight.device
    was_training = backbone.model.training
    backbone.model.eval()
    total, scored = 0.0, 0
    while scored < len(ids):
        begin = max(0, scored - (window - stride)) if scored else 0
        end = min(begin + window, len(ids))
        hidden = backbone.hidden(stream[None, begin:end].to(device))[0, scored - begin :]
        targets = stream[scored + 1 : end + 1].to(device)
        total += F.cross_entropy(backbone.logits(hidden).float(), targets, reduction="sum").item()
        scored = end
    backbone.model.train(was_training)
    return total
