"""The parts of what a policy sees, and how far each moves its decisions. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

EVERYTHING = "everything"
PARTS = ("newest state", "earlier states", "earlier actions", "return-to-go")
"""What a policy with a memory sees, and can be swapped."""


@dataclass(frozen=True)
class Reliance:
    """How far decisions move when one part of what the policy sees is that of another window."""

    part: str
    """One of `PARTS`, or `everything`."""
    moved: float
    """Mean over windows: of discrete actions the total variation distance of the two distributions, in [0, 1]; of
    continuous ones the root mean square difference over the actions, which are in [-1, 1]."""
    low: float
    high: float
    """The 95 % bootstrap interval of `moved` over windows."""
    share: float
    """`moved` over that of everything swapped, the distance of decisions that have nothing to do with each other."""


@dataclass(frozen=True)
class MeasuredReliance:
    """What was found out about one checkpoint."""

    step: int
    parts: tuple[Reliance, ...]
    """`everything` last."""

    @property
    def shares(self) -> dict[str, float]:
        """The share of every part but `everything`."""
        return {row.part: row.share for row in self.parts if row.part != EVERYTHING}
