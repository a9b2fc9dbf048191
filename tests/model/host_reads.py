"""A dispatch mode that refuses every operator which a device would have to answer to the host, or that mixes devices.

Tensors of torch's `meta` device take a GPU's part: they have shapes and no values, so whatever would read one cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_READS = ("_local_scalar_dense", "nonzero", "_unique", "unique", "masked_select", "is_nonzero", "equal", "item")
"""Operators whose result, or the size of it, the host must know before it goes on."""


class NoHostReads(TorchDispatchMode):
    """Raises `AssertionError` at the operator, so that a test's traceback names the line."""

    def __init__(self, device: str = "meta") -> None:
        super().__init__()
        self.device = torch.device(device)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)]
        places = {tensor.device.type for tensor in tensors if tensor.ndim or tensor.device.type != "cpu"}
        name = func.overloadpacket.__name__
        if self.device.type in places:
            copies = name in ("copy_", "_to_copy")
            assert copies or len(places) == 1, f"{name} mixes {sorted(places)}"
            assert name not in _READS, f"{name} makes the host wait for the device"
            assert not _picks_by_mask(func, args), f"{name} by a mask makes the host wait for the device"
        out = func(*args, **(kwargs or {}))
        if self.device.type in places and name in ("copy_", "_to_copy"):
            landed = {leaf.device.type for leaf in tree_leaves(out) if isinstance(leaf, Tensor)}
            assert landed == {self.device.type}, f"{name} brings what the device holds to the host"
        return out


def _picks_by_mask(func: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    """Return whether an index is boolean: how many elements it picks is known on the device alone."""
    if func.overloadpacket.__name__ not in ("index", "index_put_", "index_put", "_index_put_impl_"):  # type: ignore[attr-defined]
        return False
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1])
