"""What a trunk does, found out by running a few vectors through it and not by the name of its class.

Shape suffixes: N rows, L tokens, D width, T words, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lamo_core.errors import DataError
from lamo_core.model.backbone_type import Backbone, CacheKind
from lamo_core.model.building import one_line
from lamo_core.model.library import takes
from lamo_core.model.trunk import WordReader, place

_LENGTH, _CHANGED = 9, 5
"""Tokens of a row, and the first that differs between rows."""
_WINDOWS = ("sliding_window", "sliding_window_size", "attention_window_size", "local_attention", "attention_chunk_size")
_SHORT = 256
"""Tokens of windows that are tried beyond their end; longer ones are longer than most contexts."""
_CAUSAL = 1e-4
"""Relative change of an earlier output that rounding alone may make; attention to later tokens makes it 100 times that
even in a model of 2 layers with random weights."""
_EQUAL = 1e-4
_LOUD = 30.0
"""Factor that brings logits to where a cap or a scale would show."""


@torch.no_grad()
def examine(backbone: Backbone, causal: Any) -> None:
    """Try a trunk and note what it cannot do; `causal` is the model that it was taken from, and is used up.

    Raises `DataError` for one that cannot be a policy's trunk: that takes no vectors, returns others than expected, or
    lets a token see later ones.
    """
    causal.eval()
    try:
        tokens_NLD = _tokens(backbone)
        _find_writing(backbone, tokens_NLD)
        _find_positions(backbone, tokens_NLD)
        with _watched(backbone) as ran:
            whole_NLD = _hidden(backbone, tokens_NLD)
        backbone.idle = frozenset(place(name) for name, _ in backbone.model.named_modules()) - ran
        _check_output(backbone, tokens_NLD, whole_NLD)
        _check_causal(backbone, whole_NLD)
        _find_cache(backbone, tokens_NLD, whole_NLD)
        _find_reading(backbone, causal)
    finally:
        backbone.model.train()
    backbone.notes = tuple(_notes(backbone))


@torch.no_grad()
def check_outputs(backbone: Backbone) -> None:
    """Raise `DataError` for a trunk whose weights make no finite numbers; the only doubt about one of our own."""
    backbone.model.eval()
    try:
        tokens_NLD = _tokens(backbone)
        _check_output(backbone, tokens_NLD, _hidden(backbone, tokens_NLD))
    finally:
        backbone.model.train()


@contextmanager
def _watched(backbone: Backbone) -> Iterator[set[str]]:
    """Gather the places of the modules that run while the block lasts."""
    ran: set[str] = set()
    hooks = [
        module.register_forward_pre_hook(lambda *_, name=name: ran.add(place(name)))
        for name, module in backbone.model.named_modules()
    ]
    try:
        yield ran
    finally:
        for hook in hooks:
            hook.remove()


def _tokens(backbone: Backbone) -> Tensor:
    """Return three rows (3, L, D) that begin alike; numbers like those that a policy's norm gives.

    They are longer than a short window of attention, so that what it leaves out is tried too.
    """
    config: Any = backbone.model.config
    windows = [getattr(config, name, None) for name in _WINDOWS]
    short = [window for window in windows if isinstance(window, int) and 0 < window <= _SHORT]
    length = min(max(short, default=0) + _LENGTH, backbone.positions)
    generator = torch.Generator().manual_seed(0)
    tokens_NLD = torch.randn(1, length, backbone.width, generator=generator).repeat(3, 1, 1)
    rest_NLD = tokens_NLD[1:, _CHANGED:]
    rest_NLD.copy_(torch.randn(rest_NLD.shape, generator=generator))
    return tokens_NLD


def _find_writing(backbone: Backbone, tokens_NLD: Tensor) -> None:
    """Give copies to a trunk that writes into what it is given."""
    given_NLD = tokens_NLD.clone()
    with suppress(Exception):  # what is wrong shows next
        backbone.run(given_NLD)
    backbone.changes_input = not torch.equal(given_NLD, tokens_NLD)


def _find_positions(backbone: Backbone, tokens_NLD: Tensor) -> None:
    """Let a trunk find positions itself where it counts otherwise than from 0."""
    if not takes(backbone.model, "position_ids"):
        return
    try:
        backbone.told_positions = False
        own_NLD, _ = backbone.run(tokens_NLD)
    except Exception:  # it wants to be told; whatever else is wrong shows next
        backbone.told_positions = True
        return
    backbone.told_positions = True
    try:
        told_NLD, _ = backbone.run(tokens_NLD)
        backbone.told_positions = _equal(told_NLD, own_NLD)
    except Exception:
        backbone.told_positions = False


def _hidden(backbone: Backbone, tokens_NLD: Tensor) -> Tensor:
    try:
        hidden_NLD, _ = backbone.run(tokens_NLD)
    except Exception as error:  # the model's own code, of any of some hundred families
        raise DataError(
            f"{backbone.name} cannot run on vectors in place of words ({one_line(error)}); use another model"
        ) from error
    return hidden_NLD


def _check_output(backbone: Backbone, tokens_NLD: Tensor, hidden_NLD: Tensor) -> None:
    if hidden_NLD.shape != tokens_NLD.shape:
        raise DataError(
            f"{backbone.name} takes vectors of {tokens_NLD.shape[-1]} numbers and returns {hidden_NLD.shape[-1]}; "
            "use a model that has one width"
        )
    if not torch.isfinite(hidden_NLD).all():
        raise DataError(f"the outputs of {backbone.name} are no finite numbers; get it again")


def _check_causal(backbone: Backbone, hidden_NLD: Tensor) -> None:
    before_NLD = hidden_NLD[:, :_CHANGED]
    change_NL = (before_NLD[1:] - before_NLD[:1]).norm(dim=-1) / before_NLD[:1].norm(dim=-1).clamp(min=1e-12)
    if (change_NL > _CAUSAL).any():
        config: Any = backbone.model.config
        flag = " (its config.json says is_decoder: false)" if getattr(config, "is_decoder", None) is False else ""
        raise DataError(
            f"{backbone.name} is not causal: what it returns for a token changes with later ones{flag}; "
            "use a causal language model"
        )


def _find_cache(backbone: Backbone, tokens_NLD: Tensor, whole_NLD: Tensor) -> None:
    config: Any = backbone.model.config
    layered = getattr(config, "sliding_window", None) is not None or getattr(config, "layer_types", None)
    kinds: list[CacheKind] = ["own"] if layered else ["roomy", "own"]
    for kind in kinds:
        backbone.cache_kind = kind
        try:
            if _equal(_in_parts(backbone, tokens_NLD), whole_NLD[-1:]):
                return
        except Exception:  # as many kinds as there are families
            continue
    backbone.cache_kind = "none"


def _in_parts(backbone: Backbone, tokens_NLD: Tensor) -> Tensor:
    """Run the last row with others that end before it, as episodes do, three tokens at a time or more."""
    length, parts = tokens_NLD.shape[1], []
    cache: Any = None
    bounds = sorted({0, 3, 6, 9, length - 3, length} & set(range(length + 1)))
    for begin, end in pairwise(bounds):
        rows = {3: [0, 2], 6: [1]}.get(begin)
        if rows is not None:
            cache.batch_select_indices(torch.tensor(rows))
            tokens_NLD = tokens_NLD[rows]
        part_NLD, cache = backbone.run(tokens_NLD[:, begin:end], position=begin, cache=cache, use_cache=True)
        parts.append(part_NLD[-1:])
    return torch.cat(parts, dim=1)


def _find_reading(backbone: Backbone, causal: Any) -> None:
    """Read words with the word table or head alone where that is all, else with everything behind the trunk."""
    try:
        ids_NT = _words(backbone)
        expected_NTV = causal(input_ids=ids_NT).logits
        hidden_NTD = backbone.hidden(ids_NT)
        reader = WordReader(causal, backbone.model)
        if not _equal(reader(hidden_NTD), expected_NTV):
            backbone.reads_words = False
            return
        loud_NTD = hidden_NTD * _LOUD
        by_matrix = _equal(backbone.logits(hidden_NTD), expected_NTV) and _equal(
            backbone.logits(loud_NTD), reader(loud_NTD)
        )
        backbone.reader = None if by_matrix else reader
    except Exception:  # as for the cache
        backbone.reads_words = False


def _words(backbone: Backbone) -> Tensor:
    vocabulary = backbone.word_table.num_embeddings
    ids_NT = torch.arange(2 * _LENGTH).reshape(2, -1) * 7 % max(1, vocabulary - 4) + min(4, vocabulary - 1)
    padding = backbone.word_table.padding_idx
    return torch.where(ids_NT == padding, (ids_NT + 1) % vocabulary, ids_NT) if padding is not None else ids_NT


def _notes(backbone: Backbone) -> list[str]:
    implementation = getattr(backbone.model.config, "_attn_implementation", None)
    attends = any(type(module).__name__.endswith("Attention") for module in backbone.model.modules())
    notes = ["eager attention"] if attends and implementation == "eager" else []
    if backbone.cache_kind == "none":
        notes.append("sliding context, as its cache cannot drop episodes that end")
    return notes


def _equal(ours: Tensor, theirs: Tensor) -> bool:
    if ours.shape != theirs.shape or not torch.isfinite(ours).all():
        return False
    return bool((ours - theirs).abs().max() <= _EQUAL * max(1.0, float(theirs.abs().max())))
