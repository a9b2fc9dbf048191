"""What a model is pre-trained on: a text, its words in random order, or a Markov chain over words.

The last two are controls: shuffled words keep how often each word comes and nothing else (LaMo, Fig. 7); a chain with
one step of memory has no meaning but an order to learn, and is said to serve trajectories as well as text does (Wang
et al. 2024).

Shape suffixes: N tokens of a stream, S states, D documents, T tokens of a document.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import UsageError
from lamo_core.files import write_bytes
from lamo_core.language.corpora import SplitTokens, TokenArray, documents, encode_documents, read_text, split_documents
from lamo_core.language.pretrain_events import PretrainConfig
from lamo_core.language.tokenizer import end_of_text_id, load_tokenizer, train_tokenizer
from lamo_core.model.hub import locate

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CHAIN_DOCUMENTS, _HELD_OUT_DOCUMENTS, _CHAIN_LENGTH = 4_850, 50, 1_024
"""About 5 million tokens, as many as the shipped model's books give."""


@dataclass(frozen=True)
class Corpus:
    """Tokens to train on and to measure on, the words that they stand for, and the hash of what was read."""

    tokenizer: Tokenizer
    tokens: SplitTokens
    text_hash: str


def text_hash(text: Path | None, config: PretrainConfig) -> str:
    """Return the SHA-256 of what a corpus is made from; raises `UsageError` when a text is missing."""
    if config.corpus == "markov":
        return hashlib.sha256(f"markov {config.states} {config.seed} {config.tokenizer}".encode()).hexdigest()
    if text is None:
        raise UsageError("say which text to train on, such as: lamo pretrain books.txt --out models/books")
    return hashlib.sha256(read_text(text).encode()).hexdigest()


def open_corpus(text: Path | None, folder: Path, config: PretrainConfig, *, resumed: bool) -> Corpus:
    """Make a training's corpus, its tokenizer included, which is written to `folder` at the first time.

    Raises `MissingError` without the text or the named tokenizer, and `UsageError` for too short a text.
    """
    digest = text_hash(text, config)
    texts = ([], []) if text is None else split_documents(documents(read_text(text)))
    if resumed:
        tokenizer = load_tokenizer(folder / "tokenizer.json")
    else:
        tokenizer = _tokenizer(texts[0], config)
        write_bytes(folder / "tokenizer.json", tokenizer.to_str().encode(), "--out FOLDER")
    if config.corpus == "markov":
        tokens = markov_tokens(tokenizer, config.states, config.seed)
    else:
        tokens = SplitTokens(encode_documents(tokenizer, texts[0]), encode_documents(tokenizer, texts[1]))
    if config.corpus == "shuffled":
        tokens = shuffled_tokens(tokens, end_of_text_id(tokenizer), config.seed)
    if min(len(tokens.train), len(tokens.held_out)) < config.sequence + 2:
        raise UsageError(
            f"{text} gives {len(tokens.train)} training and {len(tokens.held_out)} held-out tokens, "
            f"too few for rows of {config.sequence}; use a longer text or a smaller --sequence"
        )
    return Corpus(tokenizer, tokens, digest)


def shuffled_tokens(tokens: SplitTokens, end: int, seed: int) -> SplitTokens:
    """Return the same tokens in random order; the ends of documents stay where they are."""
    generator = np.random.default_rng([seed, 0x5F])

    def shuffle(stream_N: TokenArray) -> TokenArray:
        mixed_N = stream_N.copy()
        words = stream_N != end
        mixed_N[words] = generator.permutation(stream_N[words])
        return mixed_N

    return SplitTokens(shuffle(tokens.train), shuffle(tokens.held_out))


def markov_tokens(tokenizer: Tokenizer, states: int, seed: int) -> SplitTokens:
    """Draw documents from one Markov chain over `states` words, whose next-word logits are standard normal.

    The words are the first ones after the end-of-text token, which follows each document of 1,024 words.
    """
    end, vocabulary = end_of_text_id(tokenizer), tokenizer.get_vocab_size()
    if not 2 <= states < vocabulary:
        raise UsageError(f"a chain takes 2 to {vocabulary - 1} states with this vocabulary, not {states}")
    chances_SS, generator = _chain(states, seed)
    cumulative_SS = np.cumsum(chances_SS, axis=1)
    words = np.array([word for word in range(vocabulary) if word != end][:states])

    def draw(count: int) -> TokenArray:
        states_DT = np.zeros((count, _CHAIN_LENGTH + 1), np.int64)
        states_DT[:, 0] = generator.integers(0, states, count)
        for step in range(1, _CHAIN_LENGTH):
            levels_D1 = generator.random((count, 1))
            drawn_D = (cumulative_SS[states_DT[:, step - 1]] < levels_D1).sum(1)
            states_DT[:, step] = np.minimum(drawn_D, states - 1)
        tokens_DT = words[states_DT]
        tokens_DT[:, -1] = end
        flat_N = tokens_DT.reshape(-1)
        return flat_N.astype(np.uint16) if vocabulary <= 2**16 else flat_N.astype(np.uint32)

    return SplitTokens(draw(_CHAIN_DOCUMENTS), draw(_HELD_OUT_DOCUMENTS))


def markov_entropy(states: int, seed: int) -> float:
    """Return the nats a word of the chain of `markov_tokens`: no model that knows the word before does better."""
    chances_SS, _ = _chain(states, seed)
    share_S = np.linalg.matrix_power(chances_SS, 1024)[0]
    return float(-(share_S[:, None] * chances_SS * np.log(chances_SS)).sum())


def _chain(states: int, seed: int) -> tuple[NDArray[np.float64], np.random.Generator]:
    """Return each word's chances of the next, (S, S), and the generator that goes on from there."""
    generator = np.random.default_rng([seed, 0x4D])
    chances_SS = np.exp(generator.normal(size=(states, states)))
    return chances_SS / chances_SS.sum(1, keepdims=True), generator


def _tokenizer(texts: list[str], config: PretrainConfig) -> Tokenizer:
    if config.tokenizer:
        return load_tokenizer(locate(config.tokenizer).folder / "tokenizer.json")
    if config.corpus == "markov":
        raise UsageError("a Markov chain needs the words of a model; name one with --shape mini")
    return train_tokenizer(texts, config.vocabulary)
