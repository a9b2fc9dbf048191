"""What each method's decisions are made from, over seeds; measured by `lamo analyse RUN --part reliance --keep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamo_core.analysis.parts import PARTS
from lamo_core.reports.cells import Cell
from lamo_core.reports.paired import interval_of_means


@dataclass(frozen=True)
class PartShare:
    """How much one part of what a policy sees counts: mean over seeds of its share of everything."""

    mean: float
    low: float
    high: float
    """95 % bootstrap interval over seeds; NaN with a single one."""


@dataclass(frozen=True)
class MethodReliance:
    """What one method's decisions on one share of one task's data are made from."""

    task: str
    title: str
    ratio: float
    method: str
    seeds: int
    parts: Mapping[str, PartShare]
    """Without the parts that the method does not see."""


def method_reliances(cells: Sequence[Cell]) -> list[MethodReliance]:
    """Return a row for every cell of which some seed was measured."""
    found = []
    for cell in cells:
        measured = [seed.reliance for seed in cell.seeds if seed.reliance is not None]
        if measured:
            parts = {part: _share(measured, part) for part in PARTS if all(part in shares for shares in measured)}
            found.append(MethodReliance(cell.task, cell.title, cell.ratio, cell.method, len(measured), parts))
    return found


def _share(measured: Sequence[Mapping[str, float]], part: str) -> PartShare:
    shares_S = np.array([shares[part] for shares in measured])
    return PartShare(float(shares_S.mean()), *interval_of_means([shares_S]))
