"""Errors that nobody expected while the dashboard went on: each told once in a while, all written to one file."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path

from lamo_core.errors import LamoError
from lamo_core.files import write_bytes
from lamo_core.places import cache_dir
from lamo_tui.resilience import sentence

_AGAIN_SECONDS = 60.0
"""How long an error of one place is not told again: what is drawn every second would fail every second."""
_MOST = 20
"""So many different errors are written down; the first tell the most."""


class Unexpected:
    """What went wrong since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.told: list[str] = []
        """The sentences that were said."""
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._details: list[str] = []

    def take(self, error: Exception) -> str | None:
        """Return what is to be said of an error now; None where its place has failed a moment ago."""
        place, now = _place(error), self._clock()
        first = place not in self._last
        if not first and now - self._last[place] < _AGAIN_SECONDS:
            return None
        self._last[place] = now
        if first and len(self._details) < _MOST:
            self._details.append("".join(traceback.format_exception(error)))
        said = str(error) if isinstance(error, LamoError) else self._sentence(error)
        self.told.append(said)
        return said

    def _sentence(self, error: Exception) -> str:
        return (
            f"something here could not be shown ({sentence(error)}): a file that it reads may be damaged. "
            f"The dashboard and training go on.{self._written()}"
        )

    def _written(self) -> str:
        try:
            return f" Details are in {write_details(self._details)}"
        except LamoError:  # a full disk must not be a second error
            return ""


def write_details(tracebacks: list[str]) -> Path:
    """Write down where errors came from and return the file; raises `StorageError`."""
    path = cache_dir() / "dashboard-error.txt"
    text = "\n".join(tracebacks).encode("utf-8", "backslashreplace")
    write_bytes(path, text, "LAMO_CACHE=FOLDER")
    return path


def _place(error: Exception) -> tuple[str, str]:
    """Return the kind of an error and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__, f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
