"""Numbers as tensors on a device, made once: in a tensor operation a number of Python's costs four more calls."""

from __future__ import annotations

import functools

import torch
from torch import Tensor


@functools.lru_cache(maxsize=64)
def scalar(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a scalar; it may be used in training whether or not it was first asked for under inference mode."""
    with torch.inference_mode(False):
        return torch.full((), value, dtype=dtype, device=device)
