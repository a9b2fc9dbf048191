"""Muon (Jordan et al. 2024): momentum whose matrix is made orthogonal before each step.

It needs about a third fewer tokens than AdamW to the same loss in short pre-trainings such as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the fifth-order Newton-Schulz iteration; its author tuned them for speed, not for an exact limit."""


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values of a matrix (or a batch of them) near one, in between 0.7 and 1.2."""
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x: Tensor = matrix.mT if tall else matrix
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for the weight matrices of a GPT-2 trunk, which are stored as (inputs, outputs)."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take one step; `closure` is there for the base class and must be None."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group["lr"], group["weight_decay"])
        return None

    def _update(self, parameter: Tensor, lr: float, weight_decay: float) -> None:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None
        momentum: Tensor = state["momentum"].lerp_(gradient, 0.05)
        ahead = gradient.lerp(momentum, 0.95)  # Nesterov's look ahead
        inputs, outputs = ahead.shape
        # query, key and value are three maps side by side in one matrix
        parts = ahead.chunk(3, dim=1) if outputs == 3 * inputs else (ahead,)
        scale = max(1.0, parts[0].shape[1] / inputs) ** 0.5
        parameter.mul_(1 - lr * weight_decay)
        parameter.add_(torch.cat([orthogonalise(part) for part in parts], dim=1), alpha=-lr * scale)
