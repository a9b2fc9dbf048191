"""The share of a data set that a run trains on, opened: `open_data` is the one door to episodes."""

from __future__ import annotations

from collections.abc import Callable

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.checks.compatibility import check_task, fitted
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.kitchen_rewards import in_unit
from lamo_core.data.sources.resolve import find_set, open_set, set_contents
from lamo_core.data.subset import Selection


def open_data(
    config: DataConfig,
    task: TaskConfig,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> EpisodeStore:
    """Return the share of a data set that the ratio selects, ready for windows.

    `seed` decides which episodes. `progress(stage, done, total)` is called while frames are made. Raises
    `UsageError` (unknown set, set of another task), `MissingError` (naming the command that gets the set), `DataError`
    (naming the episode), `StorageError`.
    """
    selection = Selection(config.ratio, seed, config.subset, rounding=config.ratio_rounding)
    return _open(config, task, selection, progress)


def open_unseen(
    config: DataConfig,
    task: TaskConfig,
    seed: int,
    episodes: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> EpisodeStore | None:
    """Return at most so many of the episodes that the ratio leaves out; None where it leaves none.

    Raises as `open_data`.
    """
    if config.ratio >= 1:
        return None
    selection = Selection(config.ratio, seed, config.subset, episodes, config.ratio_rounding)
    lengths = set_contents(find_set(config.source, config.set, progress), config.cutting)[0]
    return _open(config, task, selection, progress) if len(selection.of(lengths)) else None


def _open(
    config: DataConfig, task: TaskConfig, selection: Selection, progress: Callable[[str, int, int], None] | None
) -> EpisodeStore:
    found = find_set(config.source, config.set, progress)
    check_task(found.card(), found.name, config, task)
    store = fitted(open_set(found, config, selection, progress), task)
    return in_unit(store, config.kitchen_rewards) if task.name.startswith("kitchen-") else store
