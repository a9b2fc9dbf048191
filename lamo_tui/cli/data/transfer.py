"""A progress line that shows downloads in bytes, with their rate and the time that is left."""

from __future__ import annotations

from lamo_tui.cli.progress import ProgressLine
from lamo_tui.format import duration, file_size

FETCHING = "getting "
"""How the stages of a download begin; their numbers are bytes."""


class TransferLine(ProgressLine):
    """A `ProgressLine` for work that begins with downloads."""

    _transfer = ""
    _began = 0.0
    _had = 0

    def stage(self, name: str, done: int, total: int) -> None:
        """Show how far a stage is; `total` 0 means unknown."""
        if not name.startswith(FETCHING):
            super().stage(name, done, total)
            return
        now = self._clock()
        first = name != self._transfer
        if first:  # what an earlier call fetched says nothing about the rate
            self._transfer, self._began, self._had = name, now, done
        parts = [f"{name} {file_size(done)}" + (f" of {file_size(total)}" if total else "")]
        seconds = now - self._began
        if seconds > 0 and done > self._had:
            rate = (done - self._had) / seconds
            parts.append(f"{file_size(int(rate))}/s")
            if total:
                parts.append(f"{duration((total - done) / rate)} left")
        self._stage = name
        self._refresh(parts, done / total if total else None, at_once=first or 0 < total <= done)
