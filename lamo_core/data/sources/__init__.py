"""Where episodes come from; `open_data` is the one door."""

from __future__ import annotations

from collections.abc import Callable

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.kitchen_rewards import in_unit


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
    from lamo_core.data.sources.fitting import check_task, fitted
    from lamo_core.data.sources.locate import find_set, open_set

    found = find_set(config.source, config.set, progress)
    check_task(found.card(), found.name, config, task)
    store = fitted(open_set(found, config, seed, progress), task)
    return in_unit(store, config.kitchen_rewards) if task.name.startswith("kitchen-") else store
