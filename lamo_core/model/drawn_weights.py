"""Controls of pre-training: a trained model's weights drawn anew at the same scale, or shuffled.

Random weights at GPT-2's usual 0.02 make a trunk that hardly changes what it is given, so a comparison with them is one
with nearly no trunk. These keep what a trunk does to the size of vectors and drop what it has read.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import nn


@torch.no_grad()
def draw_scaled(model: nn.Module, fresh: Callable[[], nn.Module], seed: int) -> None:
    """Fill a trained model with Gaussian weights: every matrix with mean 0 and the standard deviation that it has.

    All else, biases and the weights of norms, is as in `fresh()`, an untrained model of the same shape. NumPy draws
    from the seed and the matrix's name.
    """
    plain = dict(fresh().named_parameters())
    for name, value in model.named_parameters():
        if value.ndim < 2:
            value.copy_(plain[name])
            continue
        spread = np.float32(value.numpy().std(dtype=np.float64))
        drawn = _generator(seed, name).standard_normal(tuple(value.shape), dtype=np.float32)
        value.copy_(torch.from_numpy(drawn * spread))


@torch.no_grad()
def shuffle_entries(model: nn.Module, seed: int) -> None:
    """Shuffle the entries within every matrix of a trained model; biases and norms stay. NumPy draws as above."""
    for name, value in model.named_parameters():
        if value.ndim >= 2:
            entries = _generator(seed, name).permutation(value.numpy().ravel())
            value.copy_(torch.from_numpy(entries).view_as(value))


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
