"""Differences between versions of transformers: what the cache is called, and that no test misses a deprecation."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.library import cache_name, takes


class _Output:
    def __init__(self, name: str, cache: object) -> None:
        self.last_hidden_state = torch.zeros(1, 1, 4)
        setattr(self, name, cache)


class _Newest(torch.nn.Module):
    """A trunk with the names of transformers since `cache`, that drops other words in silence."""

    def forward(self, inputs_embeds=None, cache=None, use_cache=None, **kwargs):  # type: ignore[no-untyped-def]
        return _Output("cache", (cache or 0) + 1 if use_cache else None)


class _Earlier(torch.nn.Module):
    def forward(self, inputs_embeds=None, past_key_values=None, use_cache=None, position_ids=None):  # type: ignore[no-untyped-def]
        return _Output("past_key_values", (past_key_values or 0) + 1 if use_cache else None)


class _StateSpace(torch.nn.Module):
    def forward(self, inputs_embeds=None, cache_params=None, use_cache=None, **kwargs):  # type: ignore[no-untyped-def]
        return _Output("cache_params", (cache_params or 0) + 1 if use_cache else None)


class _Without(torch.nn.Module):
    def forward(self, inputs_embeds=None, use_cache=None):  # type: ignore[no-untyped-def]
        return _Output("unused", None)


@pytest.mark.parametrize(
    ("trunk", "name", "positions"),
    [
        (_Newest, "cache", False),
        (_Earlier, "past_key_values", True),
        (_StateSpace, "cache_params", False),
        (_Without, None, False),
    ],
)
def test_the_cache_goes_in_and_comes_out_under_the_name_in_the_signature(
    trunk: type[torch.nn.Module], name: str | None, positions: bool
) -> None:
    model = trunk()
    assert (cache_name(model), takes(model, "position_ids")) == (name, positions)
    backbone = Backbone("made", "", model, "made", 4, 1, 8)
    tokens_NLD = torch.zeros(1, 1, 4)
    assert backbone.run(tokens_NLD)[1] is None
    assert backbone.run(tokens_NLD, position=1, cache=3, use_cache=True)[1] == (4 if name else None)


def test_what_transformers_says_by_its_logger_of_deprecated_names_is_an_error() -> None:
    with pytest.raises(FutureWarning, match="use another"):
        logging.getLogger("transformers.made").warning("`this` is deprecated, use another")


def test_loading_hides_nothing_but_its_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    config.scale_attn_by_inverse_layer_idx = True  # no plain GPT-2, so transformers loads it
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({**weights, "old.buffer": torch.zeros(1)}, tmp_path / "model.safetensors", {"format": "pt"})
    logger = logging.getLogger("transformers.modeling_utils")
    level = logging.getLogger("transformers").level
    logger.addHandler(caplog.handler)
    try:
        load_backbone(str(tmp_path))
        assert not caplog.messages
        logger.warning("a LOAD REPORT by itself")
        assert caplog.messages
    finally:
        logger.removeHandler(caplog.handler)
    assert logging.getLogger("transformers").level == level
