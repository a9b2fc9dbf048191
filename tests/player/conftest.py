"""One tiny run for all tests of the player."""

from __future__ import annotations

from typing import Any

import pytest

from lamo_core.player.player import Player
from lamo_core.player.sources import Opener
from lamo_core.runs.directory import RunDirectory
from tests.player.tiny import make_run, tiny_config


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Return a run of a policy that learned nothing; only read it."""
    return make_run(tmp_path_factory.mktemp("tiny") / "runs", tiny_config())


@pytest.fixture(scope="session")
def opener() -> Opener:
    """Return one opener for all tests, which loads each policy once."""
    return Opener()


class Watched:
    """A player with a clock that stands still, and what it said."""

    def __init__(self, opener: Opener) -> None:
        self.now = 100.0
        self.heard: list[tuple[dict[str, Any], bytes]] = []
        self.player = Player(lambda header, payload: self.heard.append((header, payload)), opener, lambda: self.now)

    def do(self, name: str, **values: Any) -> dict[str, Any]:
        """Give a command and return the newest message."""
        self.player.handle({"do": name, **values})
        return self.heard[-1][0]

    def kinds(self) -> list[str]:
        return [header["kind"] for header, _ in self.heard]

    def said(self, kind: str) -> dict[str, Any]:
        """Return the newest message of a kind."""
        return next(header for header, _ in reversed(self.heard) if header["kind"] == kind)

    def run(self, seconds: float) -> None:
        """Let the clock run."""
        end = self.now + seconds
        while self.now <= end:
            wait = self.player.tick()
            if wait is None:
                return
            self.now += max(wait, 1e-3)


@pytest.fixture
def watched(opener: Opener) -> Watched:
    """Return a player."""
    return Watched(opener)
