"""Frames that do not fit into memory: packed blocks stay in memory, the newest used ones unpacked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
BLOCK = 64
"""Frames per block: 64 pack to 40-50 bytes per frame and unpack at 0.8 million frames per second."""


class PackedFrames(Protocol):
    """One episode's frames in blocks of 64."""

    @property
    def frames(self) -> int:
        """Number of frames."""

    def block(self, index: int) -> Frames:
        """Return the up to 64 frames (n, 84, 84) of block `index`."""


class FrameBlocks:
    """A `FrameColumn` over packed episodes that keeps at most `memory_bytes` of unpacked blocks."""

    def __init__(self, files: Sequence[PackedFrames], memory_bytes: int) -> None:
        self._files = files
        counts = np.array([file.frames for file in files], np.int64)
        self._rows = int(counts.sum())
        self._firsts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        self._first_blocks = np.concatenate([[0], np.cumsum(-(-counts // BLOCK))]).astype(np.int64)
        self._capacity = max(1, memory_bytes // (BLOCK * 84 * 84))
        self._unpacked: OrderedDict[int, Frames] = OrderedDict()

    def __len__(self) -> int:
        return self._rows

    def gather(self, indices: NDArray[np.int64]) -> Frames:
        """Return the frames (…, 84, 84) of row `indices` (…); index -1 gives an empty frame."""
        flat = indices.ravel()
        frames = np.zeros((len(flat), 84, 84), np.uint8)
        real = np.flatnonzero(flat >= 0)
        files = np.searchsorted(self._firsts, flat[real], side="right") - 1
        blocks, rows = np.divmod(flat[real] - self._firsts[files], BLOCK)
        blocks += self._first_blocks[files]
        order = np.argsort(blocks, kind="stable")
        # One loop turn per block that is touched, not per frame.
        for part in np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1):
            if len(part):
                frames[real[part]] = self._block(int(blocks[part[0]]))[rows[part]]
        return frames.reshape(*indices.shape, 84, 84)

    def _block(self, number: int) -> Frames:
        if number in self._unpacked:
            self._unpacked.move_to_end(number)
            return self._unpacked[number]
        file = int(np.searchsorted(self._first_blocks, number, side="right")) - 1
        block = self._files[file].block(number - int(self._first_blocks[file]))
        self._unpacked[number] = block
        if len(self._unpacked) > self._capacity:
            self._unpacked.popitem(last=False)
        return block
