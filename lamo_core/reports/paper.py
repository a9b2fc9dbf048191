"""The paper's scores, from the one file that holds them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.settings.presets import read_toml

_FILE = Path(__file__).with_name("paper_scores.toml")
_CELL_KEYS = ("task", "ratio", "table")


@dataclass(frozen=True)
class PaperScore:
    """One cell of one of the paper's tables, normalised."""

    mean: float
    deviation: float | None
    """Standard deviation over 3 seeds; None where the paper gives none."""
    table: str
    """Such as `Table 3`."""

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        return f"{self.mean:.1f}{spread}"


def paper_score(task: str, ratio: float, method: str) -> PaperScore | None:
    """Return what the paper reports for a task, a share of its data and a method; None where it reports nothing.

    `method` is a report's label, such as `dt` or `lamo +no-pretraining`.
    """
    return _scores().get((_named(task), round(ratio, 6), method))


def paper_curve(task: str, method: str) -> list[tuple[float, PaperScore]]:
    """Return the paper's scores over shares of the data, smallest first."""
    wanted = (_named(task), method)
    found = ((ratio, score) for (name, ratio, label), score in _scores().items() if (name, label) == wanted)
    return sorted(found, key=lambda item: item[0])


def on_papers_data(task: str, source: str, data_set: str) -> bool:
    """Return whether a run's data are those of the paper."""
    known = _file()["data"].get(_named(task), {})
    return bool(known) and source in known["sources"] and data_set in known["sets"]


def _named(task: str) -> str:
    """Return what the paper calls a task: its kitchen is the one of D4RL's data, whose name here ends with -v0."""
    return task.removesuffix("-v0")


@functools.cache
def _file() -> dict[str, Any]:
    return read_toml(_FILE)


@functools.cache
def _scores() -> dict[tuple[str, float, str], PaperScore]:
    found: dict[tuple[str, float, str], PaperScore] = {}
    for cell in _file()["cell"]:
        for method, (mean, *deviation) in ((key, cell[key]) for key in cell if key not in _CELL_KEYS):
            score = PaperScore(float(mean), float(deviation[0]) if deviation else None, str(cell["table"]))
            found[str(cell["task"]), round(float(cell["ratio"]), 6), method] = score
    return found
