"""Blocks of words: seeded, resumable, from the model itself or from text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lamo_core.config import LanguageConfig
from lamo_core.errors import MissingError, UsageError
from lamo_core.install_hint import hint
from lamo_core.language.blocks import draw_words, open_blocks
from lamo_core.language.model_folder import export_model, language_model
from lamo_core.language.tokenizer import end_of_text_id, train_tokenizer
from lamo_core.model.backbone import Backbone, load_backbone

SELF = LanguageConfig(weight=0.1, source="self", batch_size=3, block_size=12, blocks=5)


@pytest.fixture
def tiny(tmp_path: Path) -> Backbone:
    folder = tmp_path / "tiny"
    torch.manual_seed(0)
    shape = {"vocab_size": 300, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}
    export_model(language_model(shape), folder)
    tokenizer = train_tokenizer(["the sea and the whale and the sea"] * 5, 300)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return load_backbone(str(folder))


def test_own_blocks_begin_at_the_end_of_text_and_repeat_with_the_seed(tiny: Backbone) -> None:
    first = draw_words(tiny, 4, 12, seed=1)
    assert first.shape == (4, 12)
    assert (first[:, 0] == end_of_text_id(tiny.tokenizer)).all()  # type: ignore[arg-type]
    assert np.array_equal(first, draw_words(tiny, 4, 12, seed=1))
    assert not np.array_equal(first, draw_words(tiny, 4, 12, seed=2))


def test_own_words_follow_the_model(tiny: Backbone) -> None:
    """The second word's frequencies are those of the model's first prediction."""
    torch.nn.init.normal_(tiny.word_table.weight, std=1.0)  # make predictions sharp
    tiny.model.eval()
    with torch.no_grad():
        expected_V = tiny.logits(tiny.hidden(torch.zeros(1, 1, dtype=torch.int64)))[0, 0].softmax(-1)
    drawn = draw_words(tiny, 4000, 2, seed=0)[:, 1]
    seen_V = np.bincount(drawn, minlength=300) / 4000
    assert np.abs(seen_V - expected_V.numpy()).max() < 0.04


def test_drawing_leaves_training_mode_and_global_state_alone(tiny: Backbone) -> None:
    tiny.model.train()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    draw_words(tiny, 2, 5, seed=0)
    assert tiny.model.training
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("source", ["self", "file"])
def test_blocks_resume_where_they_stopped(tiny: Backbone, text: Path, source: str) -> None:
    config = replace(SELF, source=str(text) if source == "file" else source)
    blocks = open_blocks(config, tiny, seed=4)
    blocks.sample()
    state = json.loads(json.dumps(blocks.state_dict()))
    expected = [blocks.sample() for _ in range(3)]
    again = open_blocks(config, tiny, seed=4)
    again.load_state_dict(state)
    for batch_BT in expected:
        assert batch_BT.shape == (3, 12)
        assert batch_BT.dtype == torch.int64
        assert torch.equal(again.sample(), batch_BT)


def test_own_blocks_are_among_those_drawn(tiny: Backbone) -> None:
    rows = {tuple(row) for row in draw_words(tiny, 5, 12, seed=4).tolist()}
    assert {tuple(row) for row in open_blocks(SELF, tiny, seed=4).sample().tolist()} <= rows


def test_own_blocks_are_kept_for_the_next_run(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_blocks(SELF, tiny, seed=4).sample()
    monkeypatch.setattr("lamo_core.language.blocks.draw_words", None)
    assert torch.equal(open_blocks(SELF, tiny, seed=4).sample(), first)


def test_a_cut_cache_file_is_made_anew(tiny: Backbone, tmp_path: Path) -> None:
    first = open_blocks(SELF, tiny, seed=4).sample()
    (file,) = (tmp_path / "cache").rglob("*.npy")
    file.write_bytes(file.read_bytes()[:50])
    assert torch.equal(open_blocks(SELF, tiny, seed=4).sample(), first)


def test_blocks_of_a_file_are_its_text(tiny: Backbone, text: Path) -> None:
    assert tiny.tokenizer is not None
    ids_BT = open_blocks(replace(SELF, source=str(text)), tiny, seed=0).sample()
    content = text.read_text()
    for row in ids_BT.tolist():
        for piece in tiny.tokenizer.decode(row, skip_special_tokens=False).split("<|endoftext|>"):
            assert piece in content


def test_what_cannot_be_had_is_refused(tiny: Backbone, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes 16 tokens"):
        open_blocks(replace(SELF, block_size=17), tiny, seed=0)
    with pytest.raises(MissingError, match="no text file"):
        open_blocks(replace(SELF, source="nowhere.txt"), tiny, seed=0)
    (tmp_path / "short.txt").write_text("sea")
    with pytest.raises(UsageError, match="lower language"):
        open_blocks(replace(SELF, source=str(tmp_path / "short.txt")), tiny, seed=0)
    tiny.tokenizer = None
    with pytest.raises(MissingError, match=r"tokenizer\.json"):
        open_blocks(SELF, tiny, seed=0)


def test_wikitext_without_its_library_names_the_extra(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingError, match=re.escape(hint("hub"))):
        open_blocks(replace(SELF, source="wikitext-103"), tiny, seed=0)
