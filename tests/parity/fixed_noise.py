"""Fixed numbers in place of random ones, so that two implementations of one update draw the same.

Shape suffixes: C candidates, B transitions, Z dimensions of what is drawn.
"""

from __future__ import annotations

from torch import Tensor

from tests.parity.inputs import stream

CANDIDATES, ROWS = 10, 32


def noise(size: int) -> Tensor:
    """Return what stands for normal draws, (C, B, Z), some beyond all limits; single ones are the first candidate."""
    return 3 * stream("noise", CANDIDATES, ROWS, size)


def uniform(size: int) -> Tensor:
    """Return what stands for uniform draws from [-1, 1), (C, B, Z)."""
    return stream("uniform", CANDIDATES, ROWS, size)
