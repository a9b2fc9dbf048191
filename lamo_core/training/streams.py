"""Streams of randomness: one seed, one independent stream for each use."""

from __future__ import annotations

import zlib

import numpy as np


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of the stream `name`; streams of different names or seeds are independent."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def stream_seed(seed: int, name: str) -> int:
    """Return a 62-bit seed for libraries with generators of their own."""
    return int(numpy_stream(seed, name).integers(2**62))
