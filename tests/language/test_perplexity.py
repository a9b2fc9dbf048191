"""N-grams are distributions, and windows score every token once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from lamo_core.errors import UsageError
from lamo_core.language.ngram import KneserNey, Unigram
from lamo_core.language.perplexity import measure, network_nats
from lamo_core.language.pretrain import pretrain
from lamo_core.model.backbone import load_backbone
from tests.language.conftest import TINY


def _stream(seed: int, length: int = 400) -> np.ndarray:
    """Tokens in which each is the one before plus one or two, modulo 7."""
    return np.cumsum(np.random.default_rng(seed).integers(1, 3, length)).astype(np.int64) % 7


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_sums_to_one_after_every_history(order: int) -> None:
    model = KneserNey(_stream(0), 7, order, start=0)
    for history in ([1, 2], [6, 1], [3, 3], [0]):
        total = sum(model.probabilities(np.array([*history, last]))[-1] for last in range(7))
        assert total == pytest.approx(1.0)


def test_kneser_ney_by_hand() -> None:
    """Bigrams of `0 1 0 1 0 2` with padding 0: counts 00:1 01:2 10:2 02:1, discount 2/(2+2*2) = 1/3."""
    model = KneserNey(np.array([0, 1, 0, 1, 0, 2]), 3, 2, start=0)
    # continuation counts: 0 after {0, 1} = 2, 1 after {0} = 1, 2 after {0} = 1; discount 2/(2+2*1) = 1/2
    unigram = (1 - 0.5) / 4 + 0.5 * 3 / 4 / 3
    expected = (2 - 1 / 3) / 4 + (1 / 3) * 3 / 4 * unigram
    assert model.probabilities(np.array([0, 1]))[1] == pytest.approx(expected)


def test_longer_contexts_help_where_there_is_something_to_learn() -> None:
    train, test = _stream(0, 3000), _stream(1)
    unigram = Unigram(train, 7).nats(test) / len(test)
    bigram = KneserNey(train, 7, 2, start=0).nats(test) / len(test)
    assert unigram == pytest.approx(math.log(7), rel=0.05)
    assert bigram == pytest.approx(math.log(2), rel=0.05)


def test_too_long_n_grams_are_refused() -> None:
    with pytest.raises(UsageError, match="do not fit 64 bits"):
        KneserNey(_stream(0), 50_000, 5, start=0)


def test_measuring_a_trained_model_beside_n_grams(text: Path, tmp_path: Path) -> None:
    list(pretrain(text, tmp_path / "out", TINY))
    backbone = load_backbone(str(tmp_path / "out"))
    results = measure(backbone, text, text)
    assert set(results) == {str(tmp_path / "out"), "unigram", "4-gram"}
    content = text.read_text()
    for result in results.values():
        assert result.words == len(content.split()) + 600
        assert result.nats == pytest.approx(result.tokens * math.log(result.per_token))
        assert result.nats == pytest.approx(result.words * math.log(result.per_word))
    assert results["4-gram"].nats < results["unigram"].nats


@pytest.mark.parametrize("length", [1, 15, 16, 17, 24, 25, 100])
def test_windows_score_every_token_once_with_the_most_context(text: Path, tmp_path: Path, length: int) -> None:
    list(pretrain(text, tmp_path / "out", TINY))
    backbone = load_backbone(str(tmp_path / "out"))
    backbone.model.eval()
    ids = np.random.default_rng(0).integers(0, 320, length)
    stream = torch.from_numpy(np.concatenate([[0], ids]))
    expected = 0.0
    with torch.no_grad():
        for position in range(length):
            # windows of 16 begin at 0, 8, 16, …; a token belongs to the first window that reaches it
            begin = max(0, math.ceil((position - 15) / 8)) * 8
            hidden = backbone.hidden(stream[None, begin : position + 1])
            expected -= backbone.logits(hidden)[0, -1].log_softmax(-1)[ids[position]].item()
    assert network_nats(backbone, ids, 0) == pytest.approx(expected, rel=1e-4)
