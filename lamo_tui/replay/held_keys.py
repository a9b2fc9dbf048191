"""Playing with the keyboard of a terminal, which says when a key goes down and never when it comes up.

A key counts as held for a moment, and for longer while it repeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

HOLD = 0.18
"""Seconds that a press lasts. Shorter than the pause before keys repeat, long enough for the gaps between repeats."""
_OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}
_SCREEN_KEYS = {"left", "right", "up", "down", "fire"}


class HeldKeys:
    """Turns presses of `left`, `right`, `up`, `down` and `fire` into actions of a task.

    With discrete actions the keys are matched with the actions' names, such as `right+fire`. With continuous ones
    `left` and `right` push the chosen dimension, `up` and `down` choose another.
    """

    def __init__(self, names: Sequence[str], *, discrete: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.names, self.discrete = tuple(names), discrete
        self.dimension = 0
        """Which of the continuous actions `left` and `right` push."""
        self._clock = clock
        self._until: dict[str, float] = {}

    def press(self, key: str) -> None:
        """Take in a press."""
        if key not in _SCREEN_KEYS:
            return
        if not self.discrete and key in ("up", "down"):
            self.dimension = (self.dimension + (1 if key == "down" else -1)) % len(self.names)
            return
        self._until.pop(_OPPOSITE.get(key, ""), None)
        self._until[key] = self._clock() + HOLD

    def held(self) -> set[str]:
        """Return the keys that count as held now."""
        now = self._clock()
        return {key for key, until in self._until.items() if until > now}

    def release(self) -> None:
        """Let go of everything."""
        self._until.clear()

    def action(self) -> Any:
        """Return the action of the held keys: an index, or a value for each dimension; None at rest."""
        held = self.held()
        if self.discrete:
            return self._named(held)
        push = ("right" in held) - ("left" in held)
        return [float(push) if index == self.dimension else 0.0 for index in range(len(self.names))] if push else None

    def _named(self, held: set[str]) -> int | None:
        best, most = None, 0
        for index, name in enumerate(self.names):
            parts = set(name.split("+"))
            if parts <= held and len(parts) > most:
                best, most = index, len(parts)
        return best
