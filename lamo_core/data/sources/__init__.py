"""Where episodes come from; `open_data` is the one door."""

from __future__ import annotations

from collections.abc import Callable

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.errors import MissingError, UsageError


def open_data(
    config: DataConfig,
    task: TaskConfig,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> EpisodeStore:
    """Return the share of a data set that the ratio selects, ready for windows.

    `seed` decides which episodes. `progress(stage, done, total)` is called while frames are made. Raises
    `UsageError` (unknown set, set of another task), `MissingError`, `DataError` (naming the episode),
    `StorageError`.
    """
    if config.source != "bundled":
        raise MissingError(
            f"data from {config.source} are not on this machine and lamo cannot get them yet; "
            "train on the bundled sets with --set data.source=bundled"
        )
    from lamo_core.data.sources.bundled import open_bundled, read_card, set_task
    from lamo_core.data.sources.bundled_vectors import open_vectors, vector_set_names, vector_store

    of_set = set_task(config.set)
    if of_set != task.name and not _same_kitchen(of_set, task.name):
        raise UsageError(f"the set {config.set} is for the task {of_set}, not for {task.name}; choose another one")
    if config.set in vector_set_names():
        return vector_store(open_vectors(config.set), config, seed, read_card(config.set))
    return open_bundled(config, seed, progress)


def _same_kitchen(one: str, other: str) -> bool:
    # Complete and partial are two kinds of data for one task.
    return one.startswith("kitchen-") and other.startswith("kitchen-")
