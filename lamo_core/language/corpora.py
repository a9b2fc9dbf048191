"""Text files as token streams: documents, encoding, and the split into training and held-out text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DataError, MissingError
from lamo_core.language.tokenizer import end_of_text_id

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LINES_PER_DOCUMENT = 16
"""An end-of-text token follows so many lines: even from one long book a model learns how a text begins."""

HELD_OUT_EVERY = 100
"""Each document whose number is a multiple of this is kept for measuring and never trained on."""

TokenArray = NDArray[np.uint16] | NDArray[np.uint32]
"""Token ids, 16 bits each where the vocabulary allows it."""

_TEXTS_AT_ONCE = 1_000


@dataclass(frozen=True)
class SplitTokens:
    """A corpus as two streams of token ids, (N,) each; documents end with the end-of-text token."""

    train: TokenArray
    held_out: TokenArray


def read_text(path: Path) -> str:
    """Return a UTF-8 text file; raises `MissingError` without it, `DataError` when it is no text or empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise MissingError(f"there is no text file at {path}; name an existing file") from error
    except PermissionError as error:
        raise MissingError(f"{path} may not be read; change its permissions or name another file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from error
    if not text.strip():
        raise DataError(f"{path} holds no text; name a file with some")
    return text


def documents(text: str) -> list[str]:
    """Cut a text into documents of `LINES_PER_DOCUMENT` lines; blank lines are dropped, newlines kept."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    groups = range(0, len(lines), LINES_PER_DOCUMENT)
    return ["\n".join(lines[start : start + LINES_PER_DOCUMENT]) + "\n" for start in groups]


def encode_documents(tokenizer: Tokenizer, texts: list[str]) -> TokenArray:
    """Encode documents into one stream (N,) of uint16 or uint32, each followed by the end-of-text token."""
    end = end_of_text_id(tokenizer)
    dtype = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    parts: list[NDArray[Any]] = []
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        encoded = tokenizer.encode_batch_fast(texts[start : start + _TEXTS_AT_ONCE], add_special_tokens=False)
        parts += [np.array([*item.ids, end], dtype=dtype) for item in encoded]
    return np.concatenate(parts)


def split_documents(texts: list[str]) -> tuple[list[str], list[str]]:
    """Return (training, held-out) documents; of few documents the last is held out, a lone one is both."""
    if len(texts) == 1:
        return texts, texts
    if len(texts) < HELD_OUT_EVERY:
        return texts[:-1], texts[-1:]
    train = [text for number, text in enumerate(texts, 1) if number % HELD_OUT_EVERY]
    return train, texts[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
