"""How well methods predict the actions of episodes that they were not shown.

Returns of few episodes are noisy; this loss is not, and tells a method that has learned the behaviour from one that
overfits a handful of episodes. It is no return: what predicts best need not act best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamo_core.evaluation.metrics import BEST_STEP, CONSTANT_LOSS, UNSEEN_LOSS
from lamo_core.reports.cells import Cell, SeedScores, method_names
from lamo_core.reports.paired import interval_of_means, same_data

_NONE = (float("nan"), float("nan"))


@dataclass(frozen=True)
class UnseenLoss:
    """The loss of one method on unseen episodes of one share of one task's data, at the end of training."""

    task: str
    title: str
    ratio: float
    method: str
    seeds: int
    loss: float
    """Mean over seeds: squared error of actions in [-1, 1], or cross-entropy in nats."""
    low: float
    high: float
    """95 % bootstrap interval over seeds; NaN with a single one."""
    constant: float
    """Mean over seeds of the loss of a guess that is always the same; NaN where it was not measured."""
    best_steps: tuple[int, int] | None
    """The earliest and the latest step that was best on held-out data; None where the last one was measured."""
    other: str
    """The method that it is compared with; empty for that method itself and where no seed is shared."""
    change: float
    """Geometric mean over shared seeds of this loss over the other method's, less 1; NaN where none is shared."""
    change_low: float
    change_high: float
    """95 % bootstrap interval over the shared seeds; NaN with a single one."""


def unseen_losses(cells: Sequence[Cell], baseline: str | None = None) -> list[UnseenLoss]:
    """Return the losses on unseen episodes of all cells that measured it; `baseline` None is the first method."""
    methods = method_names(cells)
    ours = baseline or (methods[0] if methods else "")
    compared = {cell.place: _measured(cell) for cell in cells if cell.method == ours}
    return [
        _row(cell, seeds, ours, compared.get(cell.place, {}) if cell.method != ours else {})
        for cell in cells
        if (seeds := _measured(cell))
    ]


def _measured(cell: Cell) -> dict[int, tuple[float, SeedScores]]:
    return {seed.seed: (seed.metrics[UNSEEN_LOSS], seed) for seed in cell.seeds if UNSEEN_LOSS in seed.metrics}


def _row(
    cell: Cell,
    seeds: dict[int, tuple[float, SeedScores]],
    ours: str,
    others: dict[int, tuple[float, SeedScores]],
) -> UnseenLoss:
    losses_S = np.array([loss for loss, _ in seeds.values()])
    ratios = [
        math.log(loss / others[seed][0])
        for seed, (loss, scores) in seeds.items()
        if seed in others and same_data(scores, others[seed][1]) and min(loss, others[seed][0]) > 0
    ]
    low, high = interval_of_means([losses_S])
    change_low, change_high = interval_of_means([np.array(ratios)]) if ratios else _NONE
    told = [scores.metrics[CONSTANT_LOSS] for _, scores in seeds.values() if CONSTANT_LOSS in scores.metrics]
    steps = [int(scores.metrics[BEST_STEP]) for _, scores in seeds.values() if BEST_STEP in scores.metrics]
    return UnseenLoss(
        task=cell.task,
        title=cell.title,
        ratio=cell.ratio,
        method=cell.method,
        seeds=len(seeds),
        loss=float(losses_S.mean()),
        low=low,
        high=high,
        constant=float(np.mean(told)) if told else float("nan"),
        best_steps=(min(steps), max(steps)) if steps else None,
        other=ours if ratios else "",
        change=math.expm1(float(np.mean(ratios))) if ratios else float("nan"),
        change_low=math.expm1(change_low),
        change_high=math.expm1(change_high),
    )
