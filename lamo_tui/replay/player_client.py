"""The player in a process of its own, as the dashboard talks to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from lamo_core.workers.conversation import Hear, WorkerProcess


class Link(Protocol):
    """A player to talk to."""

    def send(self, do: str, **values: Any) -> None:
        """Give a command."""

    def close(self) -> None:
        """End it."""


class PlayerProcess(WorkerProcess):
    """A player in a process of its own."""

    def __init__(self, hear: Hear, *, device: str = "cpu", root: Path | None = None) -> None:
        runs = [] if root is None else ["--runs", str(root)]
        super().__init__(
            hear, ["lamo_core.player", "--device", device, *runs], "the player", "<replay.play> starts it again"
        )
