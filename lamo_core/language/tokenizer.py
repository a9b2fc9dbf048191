"""Byte-level BPE tokenizers: training from a text and loading from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lamo_core.errors import DataError, MissingError, UsageError
from lamo_core.model.folder import model_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END_OF_TEXT = "<|endoftext|>"
"""The token between documents, as GPT-2 spells it; generation starts from it."""

SMALLEST_VOCABULARY = 257
"""256 bytes and the end-of-text token: enough to write any text."""


def train_tokenizer(lines: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016, on bytes as GPT-2 does).

    The end-of-text token has id 0. Every byte is in the vocabulary, so any text survives a round trip. Raises
    `UsageError` for a vocabulary that cannot hold the bytes or that does not fit 16 bits.
    """
    if not SMALLEST_VOCABULARY <= vocabulary <= 2**16:
        raise UsageError(f"a vocabulary must lie between {SMALLEST_VOCABULARY} and {2**16}, not {vocabulary}")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a `tokenizer.json`; raises `MissingError` without the file and `DataError` when it is damaged."""
    from tokenizers import Tokenizer

    if model_file(path.parent, path.name) is None:
        raise MissingError(f"there is no tokenizer at {path}; the model's folder needs its tokenizer.json")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for every kind of damage
        raise DataError(f"{path} is no tokenizer file ({error}); get or train the model again") from error


def end_of_text_id(tokenizer: Tokenizer) -> int:
    """Return the id that stands between documents; raises `DataError` for a tokenizer without one."""
    for token in (END_OF_TEXT, "</s>", "<eos>"):
        found: int | None = tokenizer.token_to_id(token)
        if found is not None:
            return found
    raise DataError(f"the tokenizer has no end-of-text token ({END_OF_TEXT}); use one that has")
