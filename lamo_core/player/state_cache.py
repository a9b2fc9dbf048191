"""States of an episode that are kept, so that any of its decisions is only a few steps away."""

from __future__ import annotations

from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Moments(Generic[Kept]):
    """Keeps the state before every `every`-th decision, at most `limit` of them.

    When there are more, every second one goes and the distance doubles, so that memory stays bounded however long the
    episode becomes.
    """

    def __init__(self, every: int, limit: int) -> None:
        self.every, self.limit = every, limit
        self._kept: dict[int, Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def wants(self, at: int) -> bool:
        """Return whether the state before decision `at` should be kept."""
        return at % self.every == 0 and at not in self._kept

    def keep(self, at: int, state: Kept) -> None:
        """Keep the state before decision `at`."""
        self._kept[at] = state
        while len(self._kept) > self.limit:
            self.every *= 2
            self._kept = {key: value for key, value in self._kept.items() if key % self.every == 0}

    def before(self, at: int) -> tuple[int, Kept] | None:
        """Return the nearest kept state at `at` or before it, with its decision; None when there is none."""
        found = max((key for key in self._kept if key <= at), default=None)
        return None if found is None else (found, self._kept[found])

    def until(self, at: int) -> Moments[Kept]:
        """Return a copy with the states at `at` and before it; the states themselves are shared."""
        copy: Moments[Kept] = Moments(self.every, self.limit)
        copy._kept = {key: value for key, value in self._kept.items() if key <= at}
        return copy
