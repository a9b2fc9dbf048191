"""Texts become documents, token streams and a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamo_core.errors import DataError, MissingError
from lamo_core.language.corpora import (
    HELD_OUT_EVERY,
    LINES_PER_DOCUMENT,
    documents,
    encode_documents,
    read_text,
    split_documents,
)
from lamo_core.language.tokenizer import train_tokenizer


def test_documents_hold_all_lines_but_blank_ones() -> None:
    lines = [f"line {number}" for number in range(40)]
    texts = documents("\n\n".join(lines))
    assert "".join(texts).splitlines() == lines
    assert [text.count("\n") for text in texts] == [LINES_PER_DOCUMENT, LINES_PER_DOCUMENT, 8]


def test_each_document_ends_with_the_end_of_text_token() -> None:
    tokenizer = train_tokenizer(["a b c"], 257)
    ids = encode_documents(tokenizer, ["a\n", "b\n"])
    assert ids.dtype == np.uint16
    assert tokenizer.decode(ids.tolist(), skip_special_tokens=False) == "a\n<|endoftext|>b\n<|endoftext|>"


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (99, 1), (100, 1), (250, 2)])
def test_held_out_documents_are_never_trained_on(count: int, held_out: int) -> None:
    texts = [str(number) for number in range(count)]
    train, kept = split_documents(texts)
    assert len(kept) == held_out
    assert sorted([*train, *kept], key=int) == texts
    assert HELD_OUT_EVERY == 100


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no text file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(MissingError, match="no text file"):
        read_text(tmp_path)
    (tmp_path / "binary").write_bytes(b"abc\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        read_text(tmp_path / "binary")
    (tmp_path / "empty").write_text(" \n ")
    with pytest.raises(DataError, match="holds no text"):
        read_text(tmp_path / "empty")
