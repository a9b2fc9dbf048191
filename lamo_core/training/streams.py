"""Streams of randomness: one seed, one independent stream for each use."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of the stream `name`; streams of different names or seeds are independent."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def stream_seed(seed: int, name: str) -> int:
    """Return a 62-bit seed for libraries with generators of their own."""
    return int(numpy_stream(seed, name).integers(2**62))


def dump_generator(generator: np.random.Generator) -> str:
    """Return a generator's state as JSON text (its integers have 128 bits)."""
    return json.dumps(generator.bit_generator.state)


def load_generator(generator: np.random.Generator, text: str) -> None:
    """Set a generator to a state from `dump_generator`; raises ValueError or TypeError for anything else."""
    state: Any = json.loads(text)
    generator.bit_generator.state = state
