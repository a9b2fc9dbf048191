"""One episode's frames and rewards on disk: zstd blocks of 64 frames, each with a checksum.

Layout (little endian): magic `LAMOFRM1`; frames F and block count (u32); packed size of each block and of
the rewards (u32); CRC-32 of all that; 16 bytes that name the episode's frames; the blocks; the rewards
(int32). The file is a cache: whatever does not fit is made again.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import zstandard
from numpy.typing import NDArray

from lamo_core.data.formats.frame_blocks import BLOCK
from lamo_core.errors import DamagedDataError
from lamo_core.files import write_bytes
from lamo_core.places import DATA_ELSEWHERE

MAGIC = b"LAMOFRM1"
FRAME_BYTES = 84 * 84
_START = len(MAGIC) + 8


class FramePacker:
    """Packs the frames of an episode as they come, so that never more than a block of them is held unpacked."""

    def __init__(self) -> None:
        self.frames = 0
        self._packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._hash = sha256()
        self._blocks: list[bytes] = []
        self._waiting: NDArray[np.uint8] = np.empty((0, 84, 84), np.uint8)

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Append frames (n, 84, 84)."""
        self.frames += len(frames)
        self._hash.update(frames.tobytes())
        waiting = np.concatenate([self._waiting, frames]) if len(self._waiting) else frames
        whole = len(waiting) // BLOCK * BLOCK
        self._blocks += [self._packed(waiting[first : first + BLOCK]) for first in range(0, whole, BLOCK)]
        self._waiting = waiting[whole:].copy()

    def digest(self) -> bytes:
        """Return the SHA-256 over all frames so far."""
        return self._hash.digest()

    def write(self, path: Path, rewards: NDArray[np.int32], frames_sha256: bytes) -> None:
        """Write the T + 1 frames and T rewards of the episode; raises `StorageError`."""
        parts = [*self._blocks, self._packed(self._waiting)] if len(self._waiting) else list(self._blocks)
        parts.append(self._packer.compress(rewards.astype("<i4").tobytes()))
        head = MAGIC + struct.pack("<2I", self.frames, len(parts) - 1)
        head += struct.pack(f"<{len(parts)}I", *map(len, parts))
        check = struct.pack("<I", zlib.crc32(head + frames_sha256))
        write_bytes(path, b"".join([head, check, frames_sha256, *parts]), DATA_ELSEWHERE)

    def _packed(self, frames: NDArray[np.uint8]) -> bytes:
        return self._packer.compress(frames.tobytes())


def write_frame_file(path: Path, frames: NDArray[np.uint8], rewards: NDArray[np.int32], frames_sha256: bytes) -> None:
    """Write the T + 1 frames and T rewards of an episode; raises `StorageError`."""
    packer = FramePacker()
    packer.add(frames)
    packer.write(path, rewards, frames_sha256)


@dataclass(frozen=True)
class FrameFile:
    """An episode's packed frames in memory (about 45 bytes per frame)."""

    path: Path
    frames: int
    content: bytes
    ends: tuple[int, ...]
    """Where each part begins, and where the last one ends."""

    @property
    def blocks(self) -> int:
        """Number of blocks of frames."""
        return len(self.ends) - 2

    def block(self, index: int) -> NDArray[np.uint8]:
        """Return the up to 64 frames (n, 84, 84) of block `index`; raises `DataError`."""
        count = min(BLOCK, self.frames - index * BLOCK)
        return np.frombuffer(self._unpack(index, count * FRAME_BYTES), np.uint8).reshape(count, 84, 84)

    def rewards(self) -> NDArray[np.int32]:
        """Return the raw rewards (T,); raises `DataError`."""
        return np.frombuffer(self._unpack(self.blocks, 4 * (self.frames - 1)), "<i4")

    def _unpack(self, part: int, size: int) -> bytes:
        try:
            packed = self.content[self.ends[part] : self.ends[part + 1]]
            if zstandard.get_frame_parameters(packed).content_size != size:
                raise zstandard.ZstdError("another size")
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        except zstandard.ZstdError as error:
            raise DamagedDataError(
                f"the cached frames at {self.path} are damaged", "delete the file and run again"
            ) from error


def read_frame_file(path: Path, frames: int, frames_sha256: bytes) -> FrameFile | None:
    """Return the episode's file, or None when it is absent or its head does not fit, so that it must be made.

    `frames` and `frames_sha256` are what the action log says; blocks check themselves when they are unpacked.
    """
    try:
        if path.stat().st_size > 2 * FRAME_BYTES * (frames + BLOCK):  # no packing makes frames so much larger
            return None
        content = path.read_bytes()
    except OSError:
        return None
    parts = -(-frames // BLOCK) + 1
    first = _START + 4 * parts + 4 + len(frames_sha256)
    if len(content) < first or content[:_START] != MAGIC + struct.pack("<2I", frames, parts - 1):
        return None
    head = content[: _START + 4 * parts]
    if content[len(head) : first] != struct.pack("<I", zlib.crc32(head + frames_sha256)) + frames_sha256:
        return None
    sizes = struct.unpack_from(f"<{parts}I", content, _START)
    ends = tuple(np.cumsum([first, *sizes], dtype=np.int64).tolist())
    return FrameFile(path, frames, content, ends) if ends[-1] == len(content) else None
