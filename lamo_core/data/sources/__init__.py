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
    from lamo_core.data.sources.bundled import open_bundled, open_log

    of_set = f"atari-{open_log(config.set).header.game}"
    if of_set != task.name:
        raise UsageError(f"the set {config.set} is for the task {of_set}, not for {task.name}; choose another one")
    return open_bundled(config, seed, progress)
