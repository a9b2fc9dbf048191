"""Shuffled words keep counts and lose order; a Markov chain has one step of memory and no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamo_core.errors import MissingError, UsageError
from lamo_core.language import made_corpora
from lamo_core.language.corpora import SplitTokens
from lamo_core.language.made_corpora import markov_entropy, markov_tokens, shuffled_tokens, text_hash
from lamo_core.language.pretrain import pretrain
from lamo_core.language.pretrain_events import PretrainSaved, PretrainStep
from lamo_core.language.tokenizer import train_tokenizer
from lamo_core.model.backbone import load_backbone
from tests.language.conftest import TINY


def test_shuffled_tokens_keep_counts_and_the_ends_of_documents() -> None:
    stream = np.array([5, 6, 7, 0, 8, 5, 0, 9, 9, 0] * 20, np.uint16)
    mixed = shuffled_tokens(SplitTokens(stream, stream[:10]), 0, seed=1)
    assert (np.sort(mixed.train) == np.sort(stream)).all()
    assert ((mixed.train == 0) == (stream == 0)).all()
    assert (mixed.train != stream).any()
    again, other = (shuffled_tokens(SplitTokens(stream, stream[:10]), 0, seed=seed) for seed in (1, 2))
    assert (again.train == mixed.train).all()
    assert (other.train != mixed.train).any()


def test_a_chain_remembers_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_corpora, "_CHAIN_DOCUMENTS", 400)
    tokens = markov_tokens(train_tokenizer(["a b"], 300), 3, seed=0)
    rows = tokens.train.reshape(400, -1).astype(int)
    assert (rows[:, -1] == 0).all()
    assert set(np.unique(rows[:, :-1])) == {1, 2, 3}
    before, at, after = rows[:, :-3].ravel(), rows[:, 1:-2].ravel(), rows[:, 2:-1].ravel()
    next_given = [np.bincount(after[at == state], minlength=4)[1:] / (at == state).sum() for state in (1, 2, 3)]
    assert max(np.abs(next_given[0] - next_given[1]).max(), np.abs(next_given[0] - next_given[2]).max()) > 0.1
    for state in (1, 2, 3):
        for earlier in (1, 2, 3):
            chosen = after[(at == state) & (before == earlier)]
            shares = np.bincount(chosen, minlength=4)[1:] / len(chosen)
            np.testing.assert_allclose(shares, next_given[state - 1], atol=0.02)
    here = np.bincount(at, minlength=4)[1:] / len(at)
    nats = -sum(share * (chances * np.log(chances)).sum() for share, chances in zip(here, next_given, strict=True))
    assert markov_entropy(3, seed=0) == pytest.approx(nats, abs=0.01)


@pytest.mark.parametrize("corpus", ["shuffled", "markov"])
def test_training_on_them_goes_on_and_loads_by_name(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: str
) -> None:
    monkeypatch.setattr(made_corpora, "_CHAIN_DOCUMENTS", 20)
    monkeypatch.setattr(made_corpora, "_HELD_OUT_DOCUMENTS", 1)
    config = replace(TINY, corpus=corpus, tokenizer="mini", steps=4, save_every=2)  # type: ignore[arg-type]
    folder, given = tmp_path / "cache" / "models" / "mini-own", text if corpus == "shuffled" else None
    whole = [event for event in pretrain(given, tmp_path / "whole", config) if isinstance(event, PretrainStep)]
    first = next(event for event in pretrain(given, folder, config) if isinstance(event, PretrainSaved))
    assert first.step == 2
    rest = [event.loss for event in pretrain(given, folder, config) if isinstance(event, PretrainStep)]
    assert rest == [event.loss for event in whole[2:]]
    backbone = load_backbone("mini-own")
    assert backbone.word_table.num_embeddings == 4096
    with pytest.raises(UsageError, match=r"corpus|another text"):
        list(pretrain(text, folder, replace(config, corpus="text")))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"such as: lamo pretrain books\.txt"):
        text_hash(None, TINY)
    with pytest.raises(UsageError, match="--shape mini"):
        list(pretrain(None, tmp_path / "out", replace(TINY, corpus="markov")))
    with pytest.raises(MissingError, match="lamo pretrain TEXT --corpus shuffled --shape own --name own-shuffled"):
        load_backbone("own-shuffled")
