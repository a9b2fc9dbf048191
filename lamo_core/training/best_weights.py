"""The weights of the step with the lowest loss on held-out training data, which act in place of later ones.

Few data are learned by heart within tens of steps, after which each further one makes a policy worse on all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

CHECKS = 50
"""How often a run measures the loss on what is held out."""


class BestWeights:
    """Keeps the trained weights of the best step so far."""

    def __init__(self, policy: nn.Module) -> None:
        self._named = {name: value for name, value in policy.named_parameters() if value.requires_grad}
        self._kept: list[Tensor] = []
        """The best weights, or what the policy held before while it holds them."""
        self.step, self.loss = -1, float("inf")
        self.of_all = False
        """Whether these are weights of as many steps on all of the data, trained anew."""

    def is_due(self, step: int, steps: int) -> bool:
        """Return whether the loss is to be measured after `step` of `steps`."""
        return step == steps or step % max(1, steps // CHECKS) == 0

    @torch.no_grad()
    def note(self, step: int, loss: float) -> None:
        """Keep what the policy holds, if this loss is the lowest so far."""
        if loss < self.loss:
            self.step, self.loss, self.of_all = step, loss, False
            self._kept = [value.detach().clone() for value in self._named.values()]

    @torch.no_grad()
    def take(self, policy: nn.Module) -> None:
        """Keep the weights of a policy that was trained on all of the data for as many steps."""
        theirs = dict(policy.named_parameters())
        self._kept = [theirs[name].detach().clone() for name in self._named]
        self.of_all = True

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the policy hold the best weights for a while; before the first measurement it keeps its own."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> dict[str, Any]:
        """Return which step was best; its weights are those that a checkpoint acts with."""
        return {"step": self.step, "loss": self.loss, "of_all": self.of_all}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`, the policy holding the best weights."""
        self.step, self.loss, self.of_all = int(state["step"]), float(state["loss"]), bool(state.get("of_all"))
        self._kept = [value.detach().clone() for value in self._named.values()] if self.step >= 0 else []

    def _swap(self) -> None:
        if self._kept:
            for index, value in enumerate(self._named.values()):
                value.data, self._kept[index] = self._kept[index], value.data
