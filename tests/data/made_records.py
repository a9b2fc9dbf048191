"""Files of RL Unplugged's kind, made byte by byte: gzipped records of whole episodes."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

Episode = dict[str, Any]


def png(frame: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    return file.getvalue()


def made_episode(steps: int, seed: int, *, over: bool = True) -> Episode:
    """Return an episode of so many decisions, with one entry more."""
    rng = np.random.default_rng(seed)
    return {
        "frames": rng.integers(0, 256, (steps + 1, 84, 84), np.uint8),
        "actions": rng.integers(0, 4, steps + 1),
        "rewards": rng.integers(-1, 2, steps + 1).astype(np.float32),
        "discounts": np.array([1.0] * steps + [0.0 if over else 1.0], np.float32),
    }


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(name: str, value: Any) -> bytes:
    if isinstance(value, list):
        inner = field(1, b"".join(field(1, one) for one in value))
    elif value.dtype == np.float32:
        inner = field(2, field(1, value.astype("<f4").tobytes()))
    else:
        inner = field(3, field(1, b"".join(varint(int(one)) for one in value)))
    return field(1, field(1, name.encode()) + field(2, inner))


def body_of(episode: Episode, **changes: Any) -> bytes:
    features = {
        "observations": [png(frame) for frame in episode["frames"]],
        "actions": episode["actions"],
        "unclipped_rewards": episode["rewards"],
        "clipped_rewards": episode["rewards"],
        "discounts": episode["discounts"],
        "episode_idx": np.array([7]),
        **changes,
    }
    return field(1, b"".join(feature(name, value) for name, value in features.items() if value is not None))


def shard(bodies: Sequence[bytes]) -> bytes:
    return gzip.compress(b"".join(struct.pack("<QI", len(body), 0) + body + b"\0" * 4 for body in bodies))
