"""How many frames a second the terminal can take: measured, not assumed."""

from __future__ import annotations

RATES = (60.0, 30.0, 15.0, 8.0, 4.0)
_SLOW, _QUICK = 0.6, 0.25
"""Shares of a frame's time: more than the first for a while lowers the rate, less than the second raises it."""
_PATIENCE = 8
"""Frames in a row before the rate falls."""
_CALM = 3.0
"""Seconds without trouble before it rises."""


class Pace:
    """Watches how long frames take from their arrival to their last byte."""

    def __init__(self) -> None:
        self.level = 0
        self._slow = 0
        self._calm_since: float | None = None

    @property
    def fps(self) -> float:
        """The most frames a second to ask for."""
        return RATES[self.level]

    def note(self, seconds: float, now: float) -> bool:
        """Take in how long a frame took; returns whether the rate has changed."""
        if seconds > _SLOW / self.fps:
            self._slow, self._calm_since = self._slow + 1, None
            if self._slow >= _PATIENCE and self.level < len(RATES) - 1:
                self.level, self._slow = self.level + 1, 0
                return True
            return False
        self._slow = 0
        if self.level == 0 or seconds > _QUICK / RATES[self.level - 1]:
            self._calm_since = None
            return False
        self._calm_since = now if self._calm_since is None else self._calm_since
        if now - self._calm_since < _CALM:
            return False
        self.level, self._calm_since = self.level - 1, None
        return True
