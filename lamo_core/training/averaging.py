"""A moving average of the trained weights, which acts in place of the newest ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of what is trained (Polyak & Juditsky 1992).

    After a few hundred steps on a few episodes a policy's return jumps from one checkpoint to the next, though its loss
    hardly moves; the average of its last weights jumps less.
    """

    def __init__(self, policy: nn.Module, decay: float) -> None:
        """Begin with the weights that the policy has."""
        self._decay = decay
        self._named = {name: value for name, value in policy.named_parameters() if value.requires_grad}
        self._others = [value.detach().clone() for value in self._named.values()]
        """The average, or the newest weights while the policy holds the average."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights after `step` steps; the first ones, which are far off, are soon forgotten."""
        share = 1.0 - min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._others, [value.detach() for value in self._named.values()], share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the policy hold the average for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for index, value in enumerate(self._named.values()):
            value.data, self._others[index] = self._others[index], value.data


def newest_weights(policy: nn.Module) -> dict[str, Tensor]:
    """Return the trained weights as the optimiser sees them, on the CPU."""
    return {name: value.detach().cpu() for name, value in policy.named_parameters() if value.requires_grad}


@torch.no_grad()
def load_newest_weights(policy: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put `newest_weights` back; raises `ValueError` for other names or shapes."""
    named = {name: value for name, value in policy.named_parameters() if value.requires_grad}
    if named.keys() != weights.keys():
        raise ValueError("the weights before averaging are those of another policy")
    for name, value in named.items():
        if weights[name].shape != value.shape:
            raise ValueError(f"the weights of {name} before averaging have another shape")
        value.copy_(weights[name])
