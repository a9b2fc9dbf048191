"""Snapshot of the runs folder: what the dashboard draws, immutable and without Textual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamo_core.runs.index import RunSummary
from lamo_tui.state.system import NO_SYSTEM, SystemStats

if TYPE_CHECKING:  # NumPy is loaded when a run is watched, not for the list
    from lamo_core.runs.metrics.series import Series
    from lamo_tui.state.alerts import Alert


@dataclass(frozen=True)
class RunData:
    """Everything of one run that is drawn. Arrays are read-only views that later polls do not change."""

    id: str
    info: Mapping[str, Any]
    series: Mapping[str, Series]
    events: tuple[Mapping[str, Any], ...]
    log: tuple[str, ...]
    alerts: tuple[Alert, ...]
    loading: bool
    """Whether there is more to read than one poll takes in."""
    version: int
    """Rises with every change."""
    thinned: bool = False
    """Whether a long record is held in part, enough to draw it."""


@dataclass(frozen=True)
class Snapshot:
    """The runs folder at one moment."""

    time: float = 0.0
    root: Path = Path("runs")
    runs: tuple[RunSummary, ...] = ()
    """Newest first."""
    watched: Mapping[str, RunData] = field(default_factory=dict)
    """The runs that are looked at, and the newest ones at work."""
    system: SystemStats = NO_SYSTEM
    listed: bool = False
    """Whether the folder has been listed at all."""
    unread: int = 0
    """Older runs that the next polls will read."""

    def same_as(self, other: Snapshot) -> bool:
        """Return whether nothing but the time differs from another snapshot of the same store."""
        return (
            self.runs is other.runs
            and self.system is other.system
            and (self.listed, self.unread) == (other.listed, other.unread)
            and self.watched.keys() == other.watched.keys()
            and all(data is other.watched[run_id] for run_id, data in self.watched.items())
        )

    @property
    def complete(self) -> bool:
        """Whether everything that was there has been read."""
        return not self.unread and not any(data.loading for data in self.watched.values())

    def run(self, run_id: str) -> RunSummary | None:
        """Return a run's summary, None when the folder holds no such run."""
        return next((run for run in self.runs if run.id == run_id), None)
