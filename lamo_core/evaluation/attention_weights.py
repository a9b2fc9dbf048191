"""Where one decision of a policy looked; no torch here, as replays of it are read without.

Shape suffixes: B layers (blocks), H heads, C steps of the context.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Attention:
    """Weights that the newest token gave to return, state and action of each step in view, oldest first.

    They add up to 1 in each head; the newest step has no action yet. Where returns are no tokens, they have no weight.
    """

    mean_C3: NDArray[np.float32]
    """Mean over all heads of all layers."""
    heads_BHC3: NDArray[np.float16] | None
    """Each head's own; None where only the mean was kept."""

    @classmethod
    def of_heads(cls, weights_BHM: NDArray[np.float32], step_tokens: int = 3) -> Attention | None:
        """Return the weights in threes; None when the tokens up to the newest are no whole steps of so many each."""
        if (weights_BHM.shape[-1] + 1) % step_tokens:
            return None
        padded = np.pad(weights_BHM.astype(np.float32), ((0, 0), (0, 0), (0, 1)))
        parts = padded.reshape(*padded.shape[:2], -1, step_tokens)
        heads_BHC3 = np.pad(parts, ((0, 0), (0, 0), (0, 0), (3 - step_tokens, 0)))
        return cls(heads_BHC3.mean((0, 1)), heads_BHC3.astype(np.float16))

    def of(self, layer: int, head: int) -> NDArray[np.float32] | None:
        """Return the weights (C, 3) of a head; 0 is the mean over layers or heads, 1 the first.

        None where this decision has no such head, or not any more.
        """
        if not layer:
            return self.mean_C3
        if self.heads_BHC3 is None or layer > len(self.heads_BHC3) or head > self.heads_BHC3.shape[1]:
            return None
        layer_HC3 = self.heads_BHC3[layer - 1].astype(np.float32)
        return np.asarray(layer_HC3[head - 1] if head else layer_HC3.mean(0))

    def averaged(self) -> Attention:
        """Return it without the single heads, which take most of its memory."""
        return Attention(self.mean_C3, None)
