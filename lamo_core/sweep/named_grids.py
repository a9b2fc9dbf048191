"""Grids of `lamo sweep --grid NAME`: which runs answer a question."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from lamo_core.config import unknown_key
from lamo_core.engine.run_spec import METHOD
from lamo_core.sweep.grid import NONE

_TRUNKS = (NONE, "permuted", "scaled-random", "no-pretraining")
_ADAPTERS = (NONE, "frozen")
_EMBEDDINGS = (NONE, "linear-embeddings")


@dataclass(frozen=True)
class NamedGrid:
    """Methods and ablations that belong together."""

    question: str
    methods: tuple[str, ...]
    ablations: tuple[str, ...]


def _joined(*parts: str) -> str:
    return "+".join(part for part in parts if part != NONE) or NONE


def _attribution() -> tuple[str, ...]:
    """Return pre-training x adapter x embedding, and a language loss where the trunk has read and learns."""
    every = itertools.product(_EMBEDDINGS, _ADAPTERS, _TRUNKS)
    found = [_joined(trunk, adapter, embedding) for embedding, adapter, trunk in every]
    return (*found, *(_joined(embedding, "language-weight-0.1") for embedding in _EMBEDDINGS))


GRIDS = {
    "attribution": NamedGrid("which part of LaMo does it?", (METHOD,), _attribution()),
    "controls": NamedGrid("is it what the trunk has read?", (METHOD,), _TRUNKS),
    "rivals": NamedGrid(
        "is it better than methods without a language model?",
        (METHOD, "dt", "bc", "filtered-bc", "td3+bc", "iql", "cql"),
        _TRUNKS,
    ),
}
"""Plain behaviour cloning is in every comparison of methods: what all others must beat."""


def named_grid(name: str) -> NamedGrid:
    """Return a grid by its name; raises `UsageError` for an unknown one."""
    if name not in GRIDS:
        raise unknown_key(name, list(GRIDS), "grid")
    return GRIDS[name]
