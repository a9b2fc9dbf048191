"""Curves as dots: the lowest and highest value of every column, so that a million points draw like a thousand.

Rows count from the top. A dot is one of the 2 x 4 of a braille cell, of the 2 x 2 of a block cell, or a whole
cell. Works on straight axes only; a log axis is the logarithm of the data.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
MarkerMode = Literal["braille", "block", "ascii"]
MARKER_MODES: tuple[MarkerMode, ...] = ("braille", "block", "ascii")
DOTS: dict[MarkerMode, tuple[int, int]] = {"braille": (4, 2), "block": (2, 2), "ascii": (1, 1)}
"""Dots of one cell as (rows, columns)."""

_BRAILLE = np.array([[1, 8], [2, 16], [4, 32], [64, 128]], np.uint32)
_QUARTERS = np.array([[1, 2], [4, 8]], np.uint32)
_BLOCKS = np.array([ord(glyph) for glyph in " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"], np.uint32)


def envelope(x: FloatArray, y: FloatArray, start: float, width: float, columns: int) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest value that the curve through (`x`, `y`) takes in each column.

    `x` is sorted; column c covers [start + c*width, start + (c+1)*width). Neighbouring points are joined by a
    straight line, a NaN in `y` leaves a gap. Both results are (columns,), NaN where the curve is absent.
    """
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    if len(x):
        bounds = np.searchsorted(x, start + width * np.arange(columns + 1))
        _add_points(y, bounds, low, high)
        _add_joins(x, y, bounds, start, width, low, high)
    absent = low > high
    low[absent] = high[absent] = np.nan
    return low, high


def _add_points(y: FloatArray, bounds: NDArray[np.intp], low: FloatArray, high: FloatArray) -> None:
    filled = np.flatnonzero(bounds[1:] > bounds[:-1])
    if not len(filled):
        return
    seen, starts = y[: bounds[-1]], bounds[filled]
    # fmin and fmax pass over NaN; a column of nothing but NaN stays absent.
    low[filled] = np.fmin(low[filled], np.fmin.reduceat(seen, starts))
    high[filled] = np.fmax(high[filled], np.fmax.reduceat(seen, starts))


def _add_joins(
    x: FloatArray,
    y: FloatArray,
    bounds: NDArray[np.intp],
    start: float,
    width: float,
    low: FloatArray,
    high: FloatArray,
) -> None:
    """Add the straight pieces that cross a column's edge: at most one for each edge."""
    after = np.unique(bounds)
    after = after[(after > 0) & (after < len(x))]
    after = after[np.isfinite(y[after - 1]) & np.isfinite(y[after])]
    if not len(after):
        return
    left, right = (x[after - 1] - start) / width, (x[after] - start) / width
    first = np.floor(np.clip(left, 0, len(low) - 1)).astype(np.intp)
    last = np.floor(np.clip(right, 0, len(low) - 1)).astype(np.intp)
    counts = last - first + 1
    piece = np.repeat(np.arange(len(after)), counts)
    column = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[piece]
    run = np.maximum(right - left, 1e-300)[piece]
    before, rise = y[after - 1][piece], (y[after] - y[after - 1])[piece]
    for edge in (np.maximum(left[piece], column), np.minimum(right[piece], column + 1)):
        value = before + rise * np.clip((edge - left[piece]) / run, 0.0, 1.0)
        np.fmin.at(low, column, value)
        np.fmax.at(high, column, value)


def fill(low: FloatArray, high: FloatArray, bottom: float, top: float, rows: int) -> NDArray[np.bool_]:
    """Return the dots (rows, columns) between `low` and `high` of each column on an axis from `bottom` to `top`."""
    scale = rows / (top - bottom)
    with np.errstate(invalid="ignore", over="ignore"):
        upper, lower = np.floor((top - high) * scale), np.floor((top - low) * scale)
        # The bottom edge itself belongs to the last row.
        lower = np.where(low <= bottom, np.minimum(lower, rows), lower)
        upper = np.where((high <= bottom) & (high >= bottom), rows - 1, upper)
        row = np.arange(rows)[:, None]
        return np.asarray((row >= upper) & (row <= lower))


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the dots of a line without the doubled corners that joining pieces leave behind.

    Of a column with two dots, one goes when the column before has a dot in the same row; lines stay connected.
    """
    shared = np.zeros_like(mask)
    shared[:, 1:] = mask[:, 1:] & mask[:, :-1]
    shared &= (mask.sum(0) == 2) & (shared.sum(0) == 1)
    # Where the neighbour's dot goes too, the two columns would fall apart.
    held = shared.copy()
    held[:, 1:] &= ~shared[:, :-1]
    return np.asarray(mask & ~held)


def pack(mask: NDArray[np.bool_], mode: MarkerMode, letter: str = "*") -> NDArray[np.uint32]:
    """Return the code points (cell rows, cell columns) that show the dots; 0 where a cell has none."""
    rows, columns = DOTS[mode]
    if mode == "ascii":
        return np.where(mask, np.uint32(ord(letter)), np.uint32(0))
    cells = mask.reshape(mask.shape[0] // rows, rows, mask.shape[1] // columns, columns)
    weights = _BRAILLE if mode == "braille" else _QUARTERS
    bits = np.einsum("arbc,rc->ab", cells.astype(np.uint32), weights)
    glyphs = bits + 0x2800 if mode == "braille" else _BLOCKS[bits]
    return np.where(bits > 0, glyphs, 0).astype(np.uint32)
