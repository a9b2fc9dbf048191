"""Tables of results from recorded runs: nothing in them is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamo_core.config import RunConfig
from lamo_core.errors import LamoError
from lamo_core.evaluation.aggregates import pooled_interval
from lamo_core.evaluation.statistics import mean, stratified_interval
from lamo_core.runs.compare import flatten
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.reader import MetricsTail, read_events
from lamo_core.runs.records import number
from lamo_core.runs.status import read_status
from lamo_core.tasks.registry import get_task

_SAME_EXPERIMENT = (
    "name", "seed", "device", "precision", "checkpoint.", "eval.every", "eval.episodes", "eval.final_episodes",
    "eval.seed", "optim.steps", "optim.micro_batch_size", "data.memory_gb",
)  # fmt: skip
"""Settings in which the runs of one experiment may differ; the steps that were taken are told beside them."""


@dataclass(frozen=True)
class RunResult:
    """The final evaluation of one run and what it took."""

    id: str
    task: str
    ratio: float
    method: str
    """The method's label and the ablations, such as `lamo +frozen`."""
    backbone: str
    seed: int
    context: str
    target: float
    returns: tuple[float, ...]
    """Raw return of every episode of the best target."""
    data_mean: float
    episodes: int
    transitions: int
    steps: int
    seconds: float
    """Wall time of the whole run, pauses left out."""
    rate: float
    """Optimiser steps per second, evaluations left out."""
    machine: str
    source: str
    data_set: str
    rewards: str
    """Whether `data_mean` is of raw or of clipped rewards."""
    targets: int
    """Return targets that the final evaluation tried."""
    evaluations: tuple[tuple[int, Mapping[float, float]], ...]
    """Step and mean raw return by target of every evaluation; a repeated step counts as it was last."""
    settings: Mapping[str, str]
    """What makes the run the experiment that it is, as text; a setting that it did not know has its default."""


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


class NoResult(LamoError):
    """A run that has no final evaluation yet."""


def read_result(run: RunDirectory) -> RunResult:
    """Return a run's final result; raises `NoResult` when there is none, `UsageError` when it is no run."""
    info = run.read_info()
    settings = flatten(info["config"])
    events = read_events(run.events_file)
    final = [event for event in events if event.get("event") == "EvalDone" and event.get("final")]
    started = [event for event in events if event.get("event") == "Started"]
    best = max(final[-1].get("scores") or (), key=_mean, default=None) if final else None
    if best is None or not started:
        raise NoResult(f"run {run.id} has no final evaluation yet")
    steps, rate = _speed(run)
    machine = info.get("machine") or {}
    device = str(started[-1].get("device"))
    where = f"{machine.get('cpus', '?')} cores, {machine.get('processor', 'unknown')}"
    ablations = "".join(f" +{part}" for part in str(info.get("name", "")).split("+")[1:])
    return RunResult(
        id=run.id,
        task=str(settings.get("task.name")),
        ratio=float(settings.get("data.ratio", 1.0)),
        method=f"{settings.get('method')}{ablations}",
        # methods without a trunk say so when they start
        backbone="none" if started[-1].get("backbone") == "none" else str(settings.get("model.backbone")),
        seed=int(settings.get("seed", 0)),
        context=str(best.get("context")),
        target=number(best.get("target")) or 0.0,
        returns=tuple(float(value) for value in best["returns"]),
        data_mean=number(started[-1].get("data_return_mean")) or 0.0,
        episodes=int(started[-1].get("episodes", 0)),
        transitions=int(started[-1].get("transitions", 0)),
        steps=steps,
        seconds=read_status(run).seconds,
        rate=rate,
        machine=where if device == "cpu" else f"{device}, {where}",
        source=str(settings.get("data.source")),
        data_set=str(settings.get("data.set")),
        rewards=str(settings.get("data.rewards", "raw")),
        targets=len(final[-1]["scores"]),
        evaluations=_evaluations(events),
        settings=_experiment(settings, events),
    )


def _experiment(settings: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    known = flatten(RunConfig().to_dict()) | dict(settings)
    found = {name: json.dumps(value) for name, value in known.items() if not name.startswith(_SAME_EXPERIMENT)}
    for event in events:
        if event.get("event") == "Changed" and event.get("name") in found:
            found[event["name"]] += f", {event.get('value')} from step {event.get('step')}"
    return found


def _evaluations(events: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, Mapping[float, float]], ...]:
    found: dict[int, Mapping[float, float]] = {}
    for event in events:
        if event.get("event") == "EvalDone" and event.get("scores") and isinstance(event.get("step"), int):
            # a run that was resumed from an older checkpoint goes back: what came after is void
            found = {step: score for step, score in found.items() if step < event["step"]}
            found[event["step"]] = {number(score.get("target")) or 0.0: _mean(score) for score in event["scores"]}
    return tuple(sorted(found.items()))


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


def _mean(score: Mapping[str, Any]) -> float:
    return number(score.get("mean")) or 0.0


def _speed(run: RunDirectory) -> tuple[int, float]:
    """Return a run's last step and its steps per second of training alone."""
    metrics = MetricsTail(run.metrics_file)
    metrics.poll_all()
    phases = [name for name in metrics.names if name.startswith("time/") and name != "time/eval"]
    seconds = sum(float(metrics.series(name).value.sum()) for name in phases)
    count = max((len(metrics.series(name)) for name in phases), default=0)
    return metrics.last_step, count / seconds if seconds > 0 else 0.0
