"""Shrinks 210x160 Atari screens to 84x84 by area averaging, bit for bit as ale-py's vector environment does.

The average is a separable sum in single precision: each output column takes two or three source columns, each
output row three source rows. A quarter of all sums are exact ties of rounding, so the order of the additions
and the rounded weights matter: columns first, left to right, then rows, top to bottom, then half to even.
This is what the `INTER_AREA` of the image library inside ale-py computes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SCREEN_HEIGHT, SCREEN_WIDTH, SIDE = 210, 160, 84


def area_taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return source indices and weights, both (taps, target), of each output cell; absent taps weigh 0."""
    scale = source / target
    cells: list[list[tuple[int, float]]] = []
    for cell in range(target):
        low, high = cell * scale, (cell + 1) * scale
        first, last = math.ceil(low - 1e-9), min(math.floor(high + 1e-9), source)
        taps = [(first - 1, (first - low) / scale)] if first - low > 1e-3 else []
        taps += [(index, 1.0 / scale) for index in range(first, last)]
        if high - last > 1e-3:
            taps.append((last, (high - last) / scale))
        cells.append(taps)
    depth = max(len(taps) for taps in cells)
    padded = [taps + [(taps[-1][0], 0.0)] * (depth - len(taps)) for taps in cells]
    indices = np.array([[tap[0] for tap in taps] for taps in padded], np.intp)
    weights = np.array([[tap[1] for tap in taps] for taps in padded], np.float32)
    return indices.T.copy(), weights.T.copy()


_COLUMNS, _COLUMN_WEIGHTS = area_taps(SCREEN_WIDTH, SIDE)
_ROWS, _ROW_WEIGHTS = area_taps(SCREEN_HEIGHT, SIDE)


def area_resize(screen: Pixels) -> Pixels:
    """Return the (84, 84) area average of a (210, 160) grey screen."""
    # Transposed, so that picking source columns copies whole memory rows.
    turned = np.ascontiguousarray(screen.T).astype(np.float32)
    total = _weighted(turned, _COLUMNS, _COLUMN_WEIGHTS)
    total = _weighted(np.ascontiguousarray(total.T), _ROWS, _ROW_WEIGHTS)
    return np.rint(total, out=total).astype(np.uint8)


def _weighted(
    values: NDArray[np.float32], indices: NDArray[np.intp], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    total: NDArray[np.float32] = values[indices[0]] * weights[0][:, None]
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        term = values[index]
        term *= weight[:, None]
        total += term
    return total
