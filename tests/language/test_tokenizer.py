"""Tokenizers: any text survives, the shipped one loads, damage is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamo_core.errors import DataError, MissingError, UsageError
from lamo_core.language.tokenizer import END_OF_TEXT, end_of_text_id, load_tokenizer, train_tokenizer
from lamo_core.places import assets_dir

MINI = load_tokenizer(assets_dir() / "mini" / "tokenizer.json")


@given(st.text())
def test_any_text_survives_the_shipped_tokenizer(text: str) -> None:
    assert MINI.decode(MINI.encode(text).ids, skip_special_tokens=False) == text


def test_the_shipped_tokenizer_fits_the_shipped_model() -> None:
    assert MINI.get_vocab_size() == 4096
    assert end_of_text_id(MINI) == 0
    assert len(MINI.encode("It was the best of times, it was the worst of times.").ids) < 20


def test_training_learns_frequent_words() -> None:
    tokenizer = train_tokenizer(["the whale and the sea and the whale"] * 20, 300)
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    assert len(tokenizer.encode(" whale").ids) == 1
    assert tokenizer.decode(tokenizer.encode("Ünïcode \x00 …").ids) == "Ünïcode \x00 …"


@pytest.mark.parametrize("vocabulary", [10, 256, 70_000])
def test_impossible_vocabularies_are_refused(vocabulary: int) -> None:
    with pytest.raises(UsageError, match="vocabulary must lie between"):
        train_tokenizer(["text"], vocabulary)


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        load_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(DataError, match="is no tokenizer file"):
        load_tokenizer(tmp_path / "tokenizer.json")
