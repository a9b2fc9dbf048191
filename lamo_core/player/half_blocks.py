"""Frames of a game as pairs of colours, one pair for each terminal cell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Keys = NDArray[np.int64]


def fitted_size(height: int, width: int, columns: int, rows: int, pixel_aspect: float) -> tuple[int, int]:
    """Return the largest (pixel rows, pixel columns) of the same shape within `columns` x 2 `rows` half cells."""
    shape = width * pixel_aspect / height
    tall, wide = 2 * rows, columns
    if wide / tall > shape:
        wide = max(1, min(columns, round(tall * shape)))
    else:
        tall = max(1, min(2 * rows, round(wide / shape)))
    return tall, wide


@lru_cache(maxsize=64)
def _edges(length: int, pieces: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    edges = np.arange(pieces + 1) * length // pieces
    return edges[:-1], np.diff(edges).astype(np.float32)


_LIGHT = np.array([54, 183, 19], np.int64)
"""How bright red, green and blue look, in parts of 256 (ITU-R BT.709)."""
_SMALL = 3
"""A bright thing is small where the mean of its box is so far down: a third of the way from darkest to brightest."""


def _boxes(frame: Frame, tall: int, wide: int, keep_small: bool) -> Frame:
    """Return the mean of each box, with `keep_small` half way to its brightest pixel where that is a small part of it.

    A plain mean makes small bright things vanish, and in many games the ball is one. Whole pixels are blended: channels
    apart from each other would make colours that no pixel has.
    """
    row_starts, row_sizes = _edges(frame.shape[0], tall)
    column_starts, column_sizes = _edges(frame.shape[1], wide)
    area = row_sizes[:, None] * column_sizes[None, :]
    summed = np.add.reduceat(np.add.reduceat(frame, row_starts, 0, np.uint32), column_starts, 1)
    mean = summed / area[:, :, None]
    if keep_small:
        light = (frame @ _LIGHT).astype(np.int64)
        pixel = light << 24 | frame @ np.array([1 << 16, 1 << 8, 1], np.int64)
        brightest = np.maximum.reduceat(np.maximum.reduceat(pixel, row_starts, 0), column_starts, 1)
        lowest = np.minimum.reduceat(np.minimum.reduceat(light, row_starts, 0), column_starts, 1)
        highest = brightest >> 24
        small = (mean @ _LIGHT - lowest) * _SMALL < highest - lowest
        colour = (brightest[:, :, None] >> np.array([16, 8, 0])) & 255
        mean = np.where(small[:, :, None], (mean + colour) / 2, mean)
    return np.asarray((mean + 0.5).astype(np.uint8))


def resize(frame: Frame, tall: int, wide: int, *, keep_small: bool = False) -> Frame:
    """Return `frame` (H, W, 3) at (tall, wide, 3): one colour for each box when shrinking, else the nearest pixel.

    `keep_small` is for games, where a ball may be a few pixels; it would make noise of a simulator's picture.
    """
    height, width = frame.shape[:2]
    if tall == height and wide == width:
        return frame
    if tall <= height and wide <= width:
        return _boxes(frame, tall, wide, keep_small)
    rows = (np.arange(tall) * 2 + 1) * height // (2 * tall)
    columns = (np.arange(wide) * 2 + 1) * width // (2 * wide)
    return np.asarray(frame[rows[:, None], columns])


def pair_keys(pixels: Frame, bits: int = 8) -> Keys:
    """Return one number (rows, columns) per cell: the upper pixel's colour shifted by 24, and the lower's.

    An odd last row of pixels stands over black; `bits` of each channel are kept.
    """
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:1])])
    if bits < 8:
        kept = pixels & np.uint8(256 - (1 << (8 - bits)))
        pixels = np.bitwise_or(kept, np.right_shift(kept, bits), dtype=np.uint8)
    colours = pixels.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1], np.int64)
    return np.asarray(colours[0::2] << 24 | colours[1::2])


def changed_spans(old: Keys | None, new: Keys) -> list[tuple[int, int, int]]:
    """Return (row, first column, one past the last) of the cells that differ, one span for each row that has any."""
    if old is None or old.shape != new.shape:
        return [(row, 0, new.shape[1]) for row in range(len(new))]
    different = old != new
    rows = np.flatnonzero(different.any(1))
    first = different[rows].argmax(1)
    last = new.shape[1] - different[rows][:, ::-1].argmax(1)
    return list(zip(rows.tolist(), first.tolist(), last.tolist(), strict=True))


def key_runs(keys: Keys) -> list[tuple[int, int]]:
    """Return (length, key) of each run of equal cells in one row."""
    cuts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = np.concatenate(([0], cuts))
    lengths = np.diff(np.concatenate((starts, [len(keys)])))
    return list(zip(lengths.tolist(), keys[starts].tolist(), strict=True))
