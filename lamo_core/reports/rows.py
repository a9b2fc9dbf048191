"""Tables of results from recorded runs: nothing in them is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamo_core.evaluation.statistics import mean, pooled_interval, stratified_interval
from lamo_core.reports.results import RunResult
from lamo_core.tasks.registry import get_task


@dataclass(frozen=True)
class ReportRow:
    """All seeds of one setting."""

    task: str
    title: str
    ratio: float
    method: str
    backbone: str
    context: str
    seeds: tuple[int, ...]
    target: float
    """Mean over seeds of the return asked for."""
    mean: float
    low: float
    high: float
    """95 % bootstrap interval over episodes, drawn within each seed."""
    seed_means: tuple[float, ...]
    normalised: float
    random_score: float
    data_mean: float
    episodes: int
    transitions: int
    """Of the data that was trained on; mean over seeds."""
    evaluated: int
    """Episodes of the final evaluations, all seeds together."""
    steps: int
    seconds: float
    rate: float
    machine: str
    runs: tuple[str, ...]


def report_rows(results: Iterable[RunResult]) -> list[ReportRow]:
    """Return one row per setting, its seeds pooled; of runs with the same seed only the newest counts."""
    groups: dict[tuple[Any, ...], dict[int, RunResult]] = {}
    for result in sorted(results, key=lambda result: result.id):
        settings = tuple(sorted(result.settings.items()))
        key = (result.task, result.ratio, result.method, result.backbone, result.context, result.steps, settings)
        groups.setdefault(key, {})[result.seed] = result
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], -item[0][1], *item[0][2:]))
    return [_row([seeds[seed] for seed in sorted(seeds)]) for _, seeds in ordered]


def _row(results: Sequence[RunResult]) -> ReportRow:
    first, task = results[0], get_task(results[0].task)
    low, high = _interval([result.returns for result in results])
    seed_means = tuple(float(np.mean(result.returns)) for result in results)
    average = float(np.mean(seed_means))
    return ReportRow(
        task=first.task,
        title=task.title,
        ratio=first.ratio,
        method=first.method,
        backbone=first.backbone,
        context=first.context,
        seeds=tuple(result.seed for result in results),
        target=float(np.mean([result.target for result in results])),
        mean=average,
        low=low,
        high=high,
        seed_means=seed_means,
        normalised=task.normalised(average),
        random_score=task.random_score,
        data_mean=float(np.mean([result.data_mean for result in results])),
        episodes=round(float(np.mean([result.episodes for result in results]))),
        transitions=round(float(np.mean([result.transitions for result in results]))),
        evaluated=sum(len(result.returns) for result in results),
        steps=first.steps,
        seconds=float(np.mean([result.seconds for result in results])),
        rate=float(np.mean([result.rate for result in results])),
        machine="; ".join(sorted({result.machine for result in results})),
        runs=tuple(result.id for result in results),
    )


def _interval(returns: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of the seeds' means; episodes are drawn within each seed."""
    if len({len(values) for values in returns}) == 1:
        return stratified_interval(np.array(returns).T, statistic=mean)
    return pooled_interval(returns, statistic=mean)
