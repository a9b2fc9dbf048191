"""Which tokens are read of what a trunk gives, so that its last block need not be computed for the others.

Dropout draws for all tokens and takes what falls on those that are read: whether a block is computed in part changes no
random number, so a run gives the same numbers either way.

Shape suffixes: N windows, L tokens of a window, R of them that are read, D width, M = N L, K = N R, I inputs,
O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Read:
    """The tokens `places` of every window of `tokens`."""

    windows: int
    tokens: int
    places: slice

    @property
    def count(self) -> int:
        """How many tokens of a window are read."""
        return len(range(*self.places.indices(self.tokens)))

    @property
    def newest_alone(self) -> bool:
        """Whether the last token is the only one that is read."""
        return range(*self.places.indices(self.tokens))[0] == self.tokens - 1

    def pick(self, x_MD: Tensor) -> Tensor:
        """Return the rows of tokens that are read, (M, D) to (K, D)."""
        return x_MD.view(self.windows, self.tokens, -1)[:, self.places].flatten(0, 1)


def drop(x_MD: Tensor, share: float, training: bool, read: Read | None = None) -> Tensor:
    """Dropout of rows (M, D), or of the rows (K, D) that are read."""
    if not training or share == 0.0:
        return x_MD
    if read is None:
        return F.dropout(x_MD, share)
    noise_MD = F.dropout(x_MD.new_ones(read.windows * read.tokens, x_MD.shape[-1]), share)
    return x_MD * read.pick(noise_MD)


def apart(x_MI: Tensor, weight_IO: Tensor, bias_O: Tensor, read: Read) -> tuple[Tensor, Tensor]:
    """Return the first third of a projection for tokens that are read (K, O / 3), the rest for all (M, 2 O / 3)."""
    third = weight_IO.shape[1] // 3
    queries_KO = torch.addmm(bias_O[:third], read.pick(x_MI), weight_IO[:, :third])
    return queries_KO, torch.addmm(bias_O[third:], x_MI, weight_IO[:, third:])
