"""What an evaluation found, as plain numbers. Imports no torch, so that every reader can use it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from lamo_core.config import ContextMode
from lamo_core.evaluation.statistics import bootstrap_interval

if TYPE_CHECKING:
    from lamo_core.tasks.task import Task

ActionMode = Literal["sample", "greedy"]


@dataclass(frozen=True)
class TargetScore:
    """The episodes that one return target led to."""

    target: float
    """The return asked for, in the unit that the policy was trained on (raw or clipped rewards)."""
    episodes: int
    returns: tuple[float, ...]
    """Raw return of every episode."""
    lengths: tuple[int, ...]
    """Decisions in every episode."""
    mean: float
    low: float
    high: float
    """95 % percentile bootstrap interval of the mean over episodes."""
    normalised: float
    """The mean on the task's scale: 0 is random play, 100 the reference of the paper's Table 5."""
    length_mean: float
    steps_per_second: float
    """Decisions per second of the whole evaluation, all targets together."""
    context: ContextMode
    action: ActionMode

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, for JSON."""
        values = asdict(self)
        return values | {"returns": list(self.returns), "lengths": list(self.lengths)}

    def __str__(self) -> str:
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}] for target {self.target:g}"


def target_score(
    task: Task,
    target: float,
    returns: Sequence[float],
    lengths: Sequence[int],
    *,
    steps_per_second: float,
    context: ContextMode,
    action: ActionMode,
) -> TargetScore:
    """Summarise the episodes of one target; needs at least one of them."""
    mean = math.fsum(returns) / len(returns)
    low, high = bootstrap_interval(returns)
    return TargetScore(
        target=target,
        episodes=len(returns),
        returns=tuple(float(ret) for ret in returns),
        lengths=tuple(int(length) for length in lengths),
        mean=mean,
        low=low,
        high=high,
        normalised=task.normalised(mean),
        length_mean=math.fsum(lengths) / len(lengths),
        steps_per_second=steps_per_second,
        context=context,
        action=action,
    )
