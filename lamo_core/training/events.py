"""What happens during training, as typed values; consoles, files and tests are listeners. Imports no torch.

Every event carries `step`, the number of optimiser steps done so far, and `time`, seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lamo_core.evaluation.scores import TargetScore

StopReason = Literal["finished", "stop", "signal", "non-finite loss", "error", "evaluation failed"]
"""Why a run ended; `stop` and `signal` leave a checkpoint from which it can be resumed, `evaluation failed` one with
all steps done, from which only the final evaluation is tried again."""


@dataclass(frozen=True)
class Started:
    """Training begins or goes on; `step` is above 0 after a resume."""

    step: int
    time: float
    total: int
    """Optimiser steps of the whole run."""
    trainable: int
    frozen: int
    """Numbers of parameters."""
    device: str
    precision: str
    backbone: str
    episodes: int
    transitions: int
    data_return_mean: float
    """Mean raw or clipped episode return of the data that is trained on."""
    targets: tuple[float, ...]
    data_digest: str = ""
    """Equal for runs that are trained on the same episodes."""
    threads: int = 0
    """Of a processor's computations: another number changes the last digits of results. 0 where it was not noted."""
    trunk_notes: tuple[str, ...] = ()
    """What of the trunk runs otherwise than in most, such as eager attention."""
    micro_batch: int = 0
    """Windows that go through the policy at once; 0 for methods that take their batch whole."""


@dataclass(frozen=True)
class StepDone:
    """One optimiser step."""

    step: int
    time: float
    loss: float
    """Decision loss plus weighted language loss."""
    decision_loss: float
    language_loss: float | None
    """Unweighted; None when no language pass is computed."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    samples: int
    """Windows seen since the run began."""
    seconds: Mapping[str, float]
    """Wall time per phase of this step, such as `data`, `model`, `optimiser`."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Further losses by name, not weighted, such as `critic`."""
    held_out_loss: float | None = None
    """Of the policy after this step on the held-out part of the training data; None where it was not measured."""


@dataclass(frozen=True)
class EvalDone:
    """An evaluation in the environment, one score per return target."""

    step: int
    time: float
    scores: tuple[TargetScore, ...]
    """With the return of every episode, so that later reports need no new roll-out."""
    seconds: float
    final: bool = False
    """The evaluation after the last step, which tables report."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What else was measured of the policy, by name, such as `loss/unseen`. Each is recorded, told and reported."""


@dataclass(frozen=True)
class EvalFailed:
    """The environment let an evaluation fail; training loses nothing by it and goes on."""

    step: int
    time: float
    message: str
    final: bool = False


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is complete on disk."""

    step: int
    time: float
    path: str
    best: bool


@dataclass(frozen=True)
class Paused:
    """Training waits for a `resume`; said again when what it holds of its device changes, or cannot."""

    step: int
    time: float
    freed: int = 0
    """Bytes of its device that it has given back; 0 while it holds what it had."""
    message: str = ""
    """Why something that was asked for did not happen."""


@dataclass(frozen=True)
class Resumed:
    """Training goes on after a pause."""

    step: int
    time: float


@dataclass(frozen=True)
class Changed:
    """A setting was changed after the run began: by a `set` command, or where it was continued with another value."""

    step: int
    time: float
    name: str
    value: float | str | Sequence[float]


@dataclass(frozen=True)
class Note:
    """A sentence for the person who watches."""

    step: int
    time: float
    text: str


@dataclass(frozen=True)
class Stopped:
    """The last event of a run, or of one stretch of it."""

    step: int
    time: float
    reason: StopReason
    message: str


Event = Started | StepDone | EvalDone | EvalFailed | CheckpointSaved | Paused | Resumed | Changed | Note | Stopped
