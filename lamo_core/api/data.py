"""Data sets from Python: whole episodes as arrays.

Shape suffixes: T decisions, O observation features, A action dimensions, E episodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import DataConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.open_data import open_data as open_configured
from lamo_core.data.sources.resolve import find_anywhere, open_set
from lamo_core.data.subset import Selection
from lamo_core.settings.presets import is_preset
from lamo_core.settings.presets import resolve as resolve_preset
from lamo_core.shares import parse_share


@dataclass(frozen=True)
class Episode:
    """One episode of T decisions."""

    observations: NDArray[Any]
    """(T + 1, O) float32, or frames (T + 1, 84, 84) uint8; the last one follows the last decision."""
    actions: NDArray[Any]
    """(T,) uint8 choices, or (T, A) float32 in [-1, 1]."""
    rewards: NDArray[np.float32]
    """(T,) raw."""
    terminated: bool
    """Whether the task itself ended it."""
    truncated: bool
    """Whether a time limit cut it."""

    def __len__(self) -> int:
        return len(self.rewards)


class Episodes(Sequence[Episode]):
    """The episodes of a data set; frames are unpacked when an episode is taken.

    Attributes: `name` of the set, `card`, what it says of itself, `lengths` (E,) int64 and `returns` (E,) float64 of
    the episodes, and `store`, all of them in columns.
    """

    def __init__(self, store: EpisodeStore) -> None:
        self.store, self.name, self.card = store, store.name, store.card
        self.lengths, self.returns = store.lengths, store.returns()

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Episode: ...

    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...

    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        """Return an episode, or several of them; raises `IndexError`."""
        if isinstance(index, slice):
            return [self._episode(at) for at in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"there are {len(self)} episodes, none at {index}")
        return self._episode(at)

    def __iter__(self) -> Iterator[Episode]:
        return map(self._episode, range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self):,} episodes, {self.store.transitions:,} transitions of {self.name}>"

    def _episode(self, at: int) -> Episode:
        store = self.store
        start, end = (int(value) for value in store.offsets[at : at + 2])
        rows = np.arange(start + at, end + at + 1)
        seen = store.observations
        return Episode(
            np.asarray(seen[rows] if isinstance(seen, np.ndarray) else seen.gather(rows)),
            store.actions[start:end],
            store.rewards[start:end],
            bool(store.terminated[at]),
            bool(store.truncated[at]),
        )


def open_data(name: str, *, ratio: float | str | None = None, seed: int = 0, source: str | None = None) -> Episodes:
    """Open a data set, or what a preset trains on, as a sequence of episodes.

    Args:
        name: A set of `lamo data list`, or a preset such as "mujoco-hopper-10pct": then exactly the episodes of a run
            of that preset and seed. A name that is both means the preset, unless `source` is given.
        ratio: Share of whole episodes, such as 0.01 or "1%"; the preset's, or all of a set, if none is given.
        seed: Which episodes; the same ones for the same seed, smaller shares inside larger ones.
        source: Where a set is from, if several have that name: "bundled", "d4rl", "minari", "rl-unplugged",
            "dqn-replay", "imported".

    Raises:
        UsageError: No such set, or a ratio outside of (0, 1].
        MissingError: A set that is not on this machine; the message says how to get it.
        DataError: A set that is damaged.
    """
    share = parse_share(ratio) if isinstance(ratio, str) else ratio
    if source is None and is_preset(name):
        run = resolve_preset(name, flags={} if share is None else {"data.ratio": share}).config
        return Episodes(open_configured(run.data, run.task, seed))
    found = find_anywhere(name, source)
    config = replace(DataConfig(), set=name, ratio=1.0 if share is None else share)
    return Episodes(open_set(found, config, Selection(config.ratio, seed), None))
