"""How often to draw: as many frames as the terminal takes, and as few looks at a run as its watcher may cost."""

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


SHORTEST, CALM, LONGEST = 0.25, 1.0, 2.0
"""Seconds between two looks at the runs folder: at the least, while no run works, and where a look is dear."""
_SHARE = 0.02
"""Of one core that looking and drawing may take."""


class Rhythm:
    """Says when to look at the runs folder again, from what the looks before have cost."""

    def __init__(self) -> None:
        self._cost = 0.0
        self._used: float | None = None

    def pause(self, used: float, active: bool) -> float:
        """Return the seconds to wait; `used` is the process's CPU time so far, `active` whether any run works."""
        if self._used is not None:
            self._cost += 0.3 * (used - self._used - self._cost)
        self._used = used
        return min(LONGEST, max(SHORTEST, self._cost / _SHARE)) if active else CALM
