"""Evaluate a policy: play the episodes, then score every target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamo_core.config import ContextMode, TaskConfig
from lamo_core.evaluation.context_agreement import Agreement, ContextComparison
from lamo_core.evaluation.rollout import Progress, rollout
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult
from lamo_core.evaluation.scores import TargetScore, target_score
from lamo_core.tasks.environment import EnvBatch
from lamo_core.tasks.registry import make_batch

if TYPE_CHECKING:
    from lamo_core.evaluation.contexts import Actor


@dataclass(frozen=True)
class Evaluation:
    """One score per target, the episodes behind them, and how a second context mode would have decided."""

    scores: tuple[TargetScore, ...]
    episodes: tuple[EpisodeResult, ...]
    seconds: float
    agreement: Agreement | None = None


def evaluate(
    policy: Actor,
    task_config: TaskConfig,
    asked: Asked,
    *,
    compare_with: ContextMode | None = None,
    progress: Progress | None = None,
    environments: Callable[[TaskConfig, int], EnvBatch] = make_batch,
) -> Evaluation:
    """Play what is asked for and score every target; arguments are those of `rollout`.

    `compare_with` names a second context mode that decides beside the first; its time does not count.
    """
    comparison = ContextComparison(compare_with) if compare_with else None
    start = time.perf_counter()
    played = rollout(policy, task_config, asked, progress=progress, comparison=comparison, environments=environments)
    seconds = time.perf_counter() - start - (comparison.seconds if comparison else 0.0)
    rate = sum(episode.length for episode in played) / max(seconds, 1e-9)
    scores = []
    for index, target in enumerate(asked.targets):
        own = played[index * asked.episodes : (index + 1) * asked.episodes]
        scores.append(
            target_score(
                policy.task,
                target,
                [episode.ret for episode in own],
                [episode.length for episode in own],
                steps_per_second=rate,
                context=asked.context,
                action=asked.action,
            )
        )
    agreement = comparison.agreement(asked.context) if comparison else None
    return Evaluation(tuple(scores), tuple(played), seconds, agreement)
