"""The seam between the training loop and what is trained: everything that differs between methods is behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from lamo_core.config import RunConfig
from lamo_core.training.adamw import AdamW

if TYPE_CHECKING:
    from lamo_core.evaluation.contexts import Actor

Lap = Callable[[str], None]
"""Ends a phase of a step, such as `data`, for the record of where time goes."""


@dataclass(frozen=True)
class StepLosses:
    """The losses of one step, as numbers."""

    total: float
    """What was minimised."""
    decision: float
    """The part that makes the policy choose actions."""
    language: float | None = None
    """Not weighted."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Others by name, not weighted."""


@dataclass(frozen=True)
class Pending:
    """The losses of one step where they were computed; reading one makes the host wait for the device."""

    terms: Mapping[str, Tensor]
    """Scalars; the update is skipped where one of them is not finite."""
    told: Callable[[Mapping[str, float]], StepLosses]
    """Makes what is told of the step from the values of the terms."""


class Learner(Protocol):
    """What one optimiser step does with data, which parameters learn at which rate, what acts and what is saved."""

    @property
    def policy(self) -> Actor:
        """What acts in evaluations; its trained tensors are what a checkpoint holds."""

    @property
    def optimiser(self) -> AdamW:
        """The optimiser, in named groups, each with the `base_rate` that schedules multiply."""

    @property
    def dtype(self) -> torch.dtype:
        """The type of matrix products."""

    @property
    def backbone(self) -> tuple[str, str]:
        """Name and content hash of the trunk; `none` without one."""

    @property
    def holds_out(self) -> bool:
        """Whether some of the training data are held out."""

    @property
    def holds_tails(self) -> bool:
        """Whether that are the ends of episodes, of which there are too few to leave one out."""

    def backward(self, config: RunConfig, step: int, lap: Lap) -> Pending:
        """Draw the next batch and add up the gradient of its loss; nothing is read from the device."""

    def metrics(self, config: RunConfig) -> dict[str, float]:
        """Return what an evaluation measures of the policy besides its returns, by name.

        `loss/unseen` is the mean loss of the actions of unseen episodes, and is missing without such episodes;
        `loss/constant` is the same, else on what is held out, of a guess that is always the same.
        """

    def held_out_loss(self, config: RunConfig) -> float | None:
        """Return the mean loss of the actions of training data that are held out; None where none are."""

    def settle(self, config: RunConfig, step: int) -> None:
        """Do what follows an optimiser step, such as moving target networks; `step` is the number of it."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside weights, optimiser and PyTorch's generators."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; raises `KeyError`, `TypeError` or `ValueError` for one that does not fit."""
