"""The trunk of a causal language model, which turns vectors into vectors, and the rest, which reads words from those.

Shape suffixes: N rows, L tokens, D width, V vocabulary.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor, nn

from lamo_core.errors import DataError
from lamo_core.model.library import takes


def trunk_of(causal: Any, name: str) -> nn.Module:
    """Return the part of a causal model that runs between its word table and its head.

    Of a model that sees or hears too it is the part for text. Raises `DataError` for a model without such a part, or
    whose part takes vectors of another width than it returns.
    """
    base, decoder = causal.base_model, _decoder(causal)
    usable = [part for part in (base, decoder, *causal.children()) if part is not causal and _is_trunk(part)]
    # of two, that which holds the text's tensors alone
    trunk = next((part for part in usable if part is not decoder and not _holds_more(part, decoder)), decoder)
    if trunk is None:
        raise DataError(f"{name} takes words alone, and a trunk must take vectors in their place; use another model")
    table = _word_table(trunk)
    width = getattr(causal.config.get_text_config(), "hidden_size", None)
    if table is None or width is None:
        raise DataError(f"{name} has no table of word embeddings to replace; use another model")
    if table.embedding_dim != width:
        raise DataError(
            f"{name} embeds words in {table.embedding_dim} numbers and computes with {width}; "
            "use a model that has one width"
        )
    return trunk  # type: ignore[no-any-return]


def place(name: str) -> str:
    """Return a module's name without its numbers: the same for its like in every layer."""
    return re.sub(r"\d+", "*", name)


class WordReader(nn.Module):
    """All of a causal model but its trunk: reads words from hidden vectors as transformers does.

    It is the causal model itself with a stand-in for its trunk, so whatever comes behind a trunk (scales, caps, further
    layers) is there. The trunk's own tensors stay shared with it.
    """

    def __init__(self, causal: Any, trunk: nn.Module) -> None:
        super().__init__()
        parent, _, leaf = next(name for name, module in causal.named_modules() if module is trunk).rpartition(".")
        setattr(causal.get_submodule(parent), leaf, _StandIn(trunk))
        self.causal = causal.requires_grad_(False).eval()

    def forward(self, hidden: Tensor) -> Tensor:
        """Read words: (…, L, D) to (…, L, V)."""
        length = hidden.shape[-2] if hidden.ndim > 1 else 1
        flat_NLD = hidden.reshape(-1, length, hidden.shape[-1])
        logits_NLV = self.causal(inputs_embeds=flat_NLD).logits
        return logits_NLV.reshape(*hidden.shape[:-1], -1)  # type: ignore[no-any-return]


class _StandIn(nn.Module):
    """Returns the vectors that it is given, as a trunk's output; whatever else is asked of it the trunk tells."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = (trunk,)  # in a tuple, so that it is no part of this

    @property
    def decoder(self) -> _StandIn:
        """Itself: some models call a part of their trunk."""
        return self

    def __getattr__(self, name: str) -> Any:
        if "trunk" not in self.__dict__:  # while it is copied
            raise AttributeError(name)
        return getattr(self.__dict__["trunk"][0], name)

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> _Handed:
        return _Handed((inputs_embeds,))


class _Handed(tuple[Tensor, ...]):
    """A trunk's output that has hidden vectors and nothing else, for those who take it as any of its kinds."""

    @property
    def last_hidden_state(self) -> Tensor:
        return super().__getitem__(0)

    def keys(self) -> tuple[str, ...]:
        return ("last_hidden_state",)

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(0 if place == "last_hidden_state" else place)

    def __getattr__(self, name: str) -> None:
        return None


def _decoder(causal: Any) -> Any:
    try:
        found = causal.get_decoder()
    except (AttributeError, NotImplementedError):
        return None
    return found if found is not causal and _is_trunk(found) else None


def _is_trunk(module: Any) -> bool:
    return isinstance(module, nn.Module) and takes(module, "inputs_embeds")


def _holds_more(base: nn.Module, decoder: nn.Module | None) -> bool:
    """Return whether a model has tensors, such as those of an image encoder, that its decoder does not."""
    if decoder is None or decoder is base:
        return False
    own = {id(parameter) for parameter in decoder.parameters()}
    return any(id(parameter) not in own for parameter in base.parameters())


def _word_table(trunk: Any) -> Any:
    try:
        found = trunk.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return found if isinstance(found, nn.Embedding) else None
