"""Method x task x share of data: every cell with its seeds, its scores and their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lamo_core.evaluation.statistics import FloatArray, interquartile_mean, nested_interval
from lamo_core.reports.factors import factors_of, other_settings
from lamo_core.reports.paper import PaperScore, on_papers_data, paper_score
from lamo_core.reports.results import RunResult
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.task import Task
from lamo_core.wording import counted

WINDOW = 0.2
"""The last window is this last share of a run's steps, as the paper has it (the last 20K of 100K)."""
_PLAIN = ("backbone", "data", "steps")


@dataclass(frozen=True)
class SeedScores:
    """What one run scored, normalised."""

    run: str
    seed: int
    final: float
    """Mean over the episodes of the final evaluation; of several targets for the one that these episodes make best."""
    window: float
    """Mean over the evaluations in the last fifth of training, the final one included; of several targets for the best
    by this mean, as the paper has it."""
    best: float
    """The best evaluation of all: chosen on the test environment, so it flatters."""
    episodes: tuple[float, ...]
    """Every episode of the final evaluation for that target."""
    evaluations: int
    """How many evaluations the window holds."""
    data_digest: str
    """Equal for runs on the same episodes; empty for runs that did not record it."""
    data_facts: tuple[int, int, float]
    """Episodes, transitions and mean return of the data."""
    metrics: Mapping[str, float]
    """What the final evaluation measured besides returns, by name, such as `loss/unseen`."""
    reliance: Mapping[str, float] | None
    """How far each part of what the policy sees moves its decisions, as a share; None where it was not measured."""


@dataclass(frozen=True)
class Cell:
    """All seeds of one method on one share of one task's data; scores are normalised."""

    task: str
    title: str
    ratio: float
    method: str
    """The method and its ablations, such as `lamo +frozen`, and what else tells its cells of one place apart."""
    backbone: str
    data: str
    """Where the data come from, such as `bundled breakout-medium`."""
    steps: int
    seeds: tuple[SeedScores, ...]
    mean: float
    mean_low: float
    mean_high: float
    iqm: float
    iqm_low: float
    iqm_high: float
    """Interquartile mean over seeds. Both intervals: 95 %, over seeds and over the episodes within them."""
    window: float
    best: float
    """Means over seeds of the other two scores."""
    raw: float
    """Mean raw return of the final evaluations."""
    data_mean: float
    """Normalised mean return of the data that was trained on; NaN for clipped rewards, which are no returns."""
    targets: int
    """Return targets that every evaluation tried; of several the best one counts, which flatters."""
    paper: PaperScore | None
    papers_data: bool
    """Whether this is the data of the paper, so that its number may be compared."""
    factors: Mapping[str, str] = field(default_factory=dict)
    """The levels of LaMo's parts (`factors.BASES`); empty for a method without a trunk."""
    others: str = ""
    """Equal for cells that differ in nothing but factors, task, share, steps and seeds."""

    @property
    def finals(self) -> FloatArray:
        """The final score of every seed, (R,)."""
        return np.array([seed.final for seed in self.seeds])

    @property
    def place(self) -> tuple[str, float]:
        """Task and share of data."""
        return self.task, self.ratio


def make_cells(results: Iterable[RunResult]) -> list[Cell]:
    """Return the cells of some runs: by task, share and method; of runs with the same seed the newest counts.

    Runs on other data, for another number of steps or with any other setting changed are cells of their own. Tasks that
    have no scale of scores are left out.
    """
    groups: dict[tuple[Any, ...], dict[int, RunResult]] = {}
    for result in sorted(results, key=lambda result: result.id):
        if math.isnan(get_task(result.task).random_score):
            continue
        settings = tuple(sorted(result.settings.items()))
        key = (result.task, result.ratio, result.method, result.backbone, result.steps, settings)
        groups.setdefault(key, {})[result.seed] = result
    found = [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]
    cells = _told_apart([(_cell(results), _facts(results[0])) for results in found])
    return sorted(cells, key=lambda cell: (cell.task, cell.ratio, _rank(cell.method), cell.backbone, cell.steps))


def method_names(cells: Sequence[Cell]) -> list[str]:
    """Return the methods of some cells, `lamo` and its ablations first."""
    return sorted({cell.method for cell in cells}, key=_rank)


def _told_apart(cells: Sequence[tuple[Cell, Mapping[str, str]]]) -> list[Cell]:
    """Add to a method's name what else differs between its cells of one place, such as the backbone."""
    groups: dict[tuple[str, float, str], list[Mapping[str, str]]] = {}
    for cell, facts in cells:
        groups.setdefault((*cell.place, cell.method), []).append(facts)
    telling: dict[str, dict[str, None]] = {}
    for (_, _, method), found in groups.items():
        telling.setdefault(method, {}).update(dict.fromkeys(_telling(found)))
    return [
        replace(cell, method=_with(cell.method, words))
        for cell, facts in cells
        for words in [[facts[name] for name in facts if name in telling[cell.method]]]
    ]


def _with(method: str, words: Sequence[str]) -> str:
    """Return a method's label with more words in the brackets behind it."""
    if not words:
        return method
    return f"{method[:-1]}, {', '.join(words)})" if method.endswith(")") else f"{method} ({', '.join(words)})"


def _telling(found: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the names of facts that tell some cells apart: plain ones that differ, settings only where they must."""
    chosen = [name for name in _PLAIN if len({facts[name] for facts in found}) > 1]
    for name in dict.fromkeys(name for facts in found for name in facts):
        apart = {tuple(facts.get(other) for other in chosen) for facts in found}
        if len(apart) < len({(*(facts.get(other) for other in chosen), facts.get(name)) for facts in found}):
            chosen.append(name)
    return chosen


def _facts(result: RunResult) -> dict[str, str]:
    """Return what a cell may be told by: words by the names of `_PLAIN`, then settings with their values."""
    data, steps = f"{result.source} {result.data_set}", counted(result.steps, "step")
    plain = dict(zip(_PLAIN, (result.backbone, data, steps), strict=True))
    return plain | {name: f"{name}={value}" for name, value in sorted(result.settings.items())}


def _rank(method: str) -> tuple[int, str]:
    return (0 if method == "lamo" else 1 if method.startswith("lamo ") else 2), method


def _cell(results: Sequence[RunResult]) -> Cell:
    first, task = results[0], get_task(results[0].task)
    seeds = tuple(_seed(result, task) for result in results)
    finals = np.array([seed.final for seed in seeds])
    episodes = [seed.episodes for seed in seeds]
    mean_low, mean_high = nested_interval(episodes)
    iqm_low, iqm_high = nested_interval(episodes, statistic=interquartile_mean)
    returns = [task.normalised(result.data_mean) for result in results if result.rewards == "raw"]
    return Cell(
        task=first.task,
        title=task.title,
        ratio=first.ratio,
        method=first.method,
        backbone=first.backbone,
        data=f"{first.source} {first.data_set}",
        steps=first.steps,
        seeds=seeds,
        mean=float(finals.mean()),
        mean_low=mean_low,
        mean_high=mean_high,
        iqm=float(interquartile_mean(finals)),
        iqm_low=iqm_low,
        iqm_high=iqm_high,
        window=float(np.mean([seed.window for seed in seeds])),
        best=float(np.mean([seed.best for seed in seeds])),
        raw=float(np.mean([np.mean(result.returns) for result in results])),
        data_mean=float(np.mean(returns)) if returns else float("nan"),
        targets=max(result.targets for result in results),
        paper=paper_score(first.task, first.ratio, first.method),
        papers_data=on_papers_data(first.task, first.source, first.data_set),
        factors=factors_of(first.settings),
        others=other_settings(first.settings),
    )


def _seed(result: RunResult, task: Task) -> SeedScores:
    begin = (1 - WINDOW) * result.steps
    late = [means for step, means in result.evaluations if step > begin]
    return SeedScores(
        run=result.id,
        seed=result.seed,
        final=task.normalised(float(np.mean(result.returns))),
        window=task.normalised(_best_mean(late)),
        best=task.normalised(max(max(means.values()) for _, means in result.evaluations)),
        episodes=tuple(task.normalised(value) for value in result.returns),
        evaluations=len(late),
        data_digest=result.data_digest,
        data_facts=(result.episodes, result.transitions, result.data_mean),
        metrics=result.metrics,
        reliance=result.reliance,
    )


def _best_mean(evaluations: Sequence[Mapping[float, float]]) -> float:
    """Return the mean over evaluations for the target whose mean is best, among those that the last one tried."""
    tried = {target: [means[target] for means in evaluations if target in means] for target in evaluations[-1]}
    return max(float(np.mean(means)) for means in tried.values())
