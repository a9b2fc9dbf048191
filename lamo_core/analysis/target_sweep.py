"""Whether a policy does what it is asked: returns achieved over a sweep of returns asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamo_core.config import RunConfig
from lamo_core.evaluation.contexts import Actor
from lamo_core.evaluation.evaluate import evaluate
from lamo_core.evaluation.rollout import Progress
from lamo_core.evaluation.rollout_spec import Asked
from lamo_core.evaluation.scores import TargetScore
from lamo_core.evaluation.statistics import FloatArray

_BEYOND = 0.25
"""The sweep goes beyond the data's best return by this share of their span, to see what happens there."""


@dataclass(frozen=True)
class Asking:
    """A sweep of targets; returns are in the unit of the data's rewards for targets, raw for what was achieved."""

    scores: tuple[TargetScore, ...]
    """Lowest target first."""
    data_low: float
    data_high: float
    """The range of the data's returns: more or less was never seen."""
    rank_correlation: float | None
    """Spearman's, of target and mean achieved; None when all achieved means are equal."""


def target_sweep(facts: dict[str, Any], count: int) -> tuple[float, ...]:
    """Return evenly spread targets from the data's lowest return to a quarter of its span beyond the highest."""
    low, high = float(facts["return_min"]), float(facts["return_max"])
    end = high + _BEYOND * (high - low)
    return tuple(float(f"{value:.4g}") for value in np.unique(np.linspace(low, end, max(2, count))))


def ask(
    policy: Actor, config: RunConfig, facts: dict[str, Any], count: int, episodes: int, progress: Progress | None = None
) -> Asking:
    """Play `episodes` episodes for each of `count` targets; every target meets the same seeds."""
    asked = Asked.by(config, target_sweep(facts, count), episodes)
    result = evaluate(policy, config.task, asked, progress=progress)
    low, high = float(facts["return_min"]), float(facts["return_max"])
    correlation = _spearman([score.target for score in result.scores], [score.mean for score in result.scores])
    return Asking(result.scores, low, high, correlation)


def _spearman(left: list[float], right: list[float]) -> float | None:
    ours, theirs = _ranks(left), _ranks(right)
    spread = float(ours.std() * theirs.std())
    return float(((ours - ours.mean()) * (theirs - theirs.mean())).mean()) / spread if spread else None


def _ranks(values: list[float]) -> FloatArray:
    """Return ranks from 0; equal values share the mean of theirs."""
    found = np.array(values, np.float64)
    below = (found[None] < found[:, None]).sum(1)
    equal = (found[None] == found[:, None]).sum(1)
    return np.asarray(below + (equal - 1) / 2)
