"""What happens in a run, as typed events; console, files, dashboard and tests listen. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lamo_core.evaluation.scores import TargetScore


@dataclass(frozen=True)
class Event:
    """Something that happened after `step` optimiser steps, at `time` (seconds since the epoch)."""

    step: int
    time: float


@dataclass(frozen=True)
class Started(Event):
    """The loop begins, anew or after a resume."""

    total: int
    trainable: int
    """Parameters that are trained."""
    frozen: int
    device: str
    precision: str
    backbone: str
    episodes: int
    transitions: int
    data_return_mean: float
    targets: tuple[float, ...]


@dataclass(frozen=True)
class StepDone(Event):
    """One optimiser step."""

    loss: float
    decision_loss: float
    language_loss: float | None
    grad_norm: float
    learning_rate: float
    samples: int
    """Windows drawn since the start of the run."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per phase: data, model, optimiser."""


@dataclass(frozen=True)
class EvalDone(Event):
    """Roll-outs are finished; one score per return target."""

    scores: tuple[TargetScore, ...]
    seconds: float
    final: bool = False


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """A checkpoint is on disk."""

    path: str
    best: bool = False


@dataclass(frozen=True)
class Paused(Event):
    """The loop waits between two steps."""


@dataclass(frozen=True)
class Resumed(Event):
    """A paused loop goes on."""


@dataclass(frozen=True)
class Note(Event):
    """Something worth a line in the log, such as a changed setting."""

    text: str


StopReason = Literal["finished", "stop", "non-finite loss", "error"]


@dataclass(frozen=True)
class Stopped(Event):
    """The loop has ended; `stop` means that it was asked to and can be resumed."""

    reason: StopReason
    message: str
