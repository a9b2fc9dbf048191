"""Messages of the dashboard."""

from __future__ import annotations

from textual.message import Message

from lamo_tui.state.snapshot import Snapshot


class StoreUpdated(Message):
    """The runs folder was looked at: one message per tick, whatever has changed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()


class AskedHeard(Message):
    """The process that asks a policy for returns has said something."""


class StoreFailed(Message):
    """Looking at the runs folder failed; it is tried again."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()
