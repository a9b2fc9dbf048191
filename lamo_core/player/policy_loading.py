"""Loading of a policy in a thread of its own, while the record of an episode that it played is shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from lamo_core.errors import LamoError
from lamo_core.player.sources import REPLAY_ENDING, Loaded, Opened, replays_of
from lamo_core.runs.directory import RunDirectory

WAKE = 0.1
"""Seconds after which it is looked whether the policy is there."""


class PolicyLoading:
    """A policy on its way, for the episode `opened`."""

    def __init__(self, opened: Opened, path: Path, load: Callable[[], Loaded]) -> None:
        self.opened, self.path = opened, path
        self._load = load
        self._loaded: Loaded | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it is there, or will not come."""
        return not self._thread.is_alive()

    def result(self) -> Loaded:
        """Wait for the policy and return it; raises what loading it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._loaded is not None
        return self._loaded

    def _work(self) -> None:
        try:
            self._loaded = self._load()
        except Exception as error:  # raised again where somebody can be told
            self._error = error


def record_of(checkpoint: Path) -> Path | None:
    """Return the newest record of an episode that a run's newest policy, or that of a step, played; None without one.

    It says what the policy does before the policy itself is loaded.
    """
    run = RunDirectory(checkpoint.resolve().parents[1])
    records = replays_of(run) if checkpoint.parent.name == "checkpoints" else []
    if checkpoint.stem.isdigit():
        records = [record for record in records if f"-{int(checkpoint.stem):06d}-" in record.name]
    elif checkpoint.name != run.last_checkpoint.name:
        return None
    return records[-1] if records else None


def open_record(checkpoint: Path, open_path: Callable[[Path], Opened]) -> Opened | None:
    """Open the record of a checkpoint; None where there is none, or none that can be played here."""
    if checkpoint.suffix == REPLAY_ENDING or (record := record_of(checkpoint)) is None:
        return None
    try:
        return open_path(record)
    except LamoError:
        return None
