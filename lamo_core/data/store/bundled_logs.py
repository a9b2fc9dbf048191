"""The data sets that ship with lamo or were collected here: action logs, unpacked into a cache of frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import unknown_key
from lamo_core.data.checks.recovery import recovery_advice
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.formats.action_log import ActionLog, read_log
from lamo_core.data.formats.frame_file import FrameFile, read_frame_file
from lamo_core.data.formats.frame_store import PackedEpisodes, frame_store
from lamo_core.data.formats.replay_pool import Progress, replay_episodes
from lamo_core.data.store.bundled_vectors import collected_folder, open_vectors, vector_path, vector_set_names
from lamo_core.data.store.local import read_card_file
from lamo_core.data.subset import Selection
from lamo_core.errors import DamagedDataError
from lamo_core.places import assets_dir, data_dir


def set_names() -> list[str]:
    """Return the names of the bundled and of the collected sets of action logs."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.lamolog")})


def all_set_names() -> list[str]:
    """Return the names of all bundled and collected sets: action logs and vector files."""
    return sorted(set_names() + vector_set_names())


def log_path(name: str) -> Path:
    """Return where the action log of set `name` lies; raises `UsageError` with the nearest known name."""
    # The name may come from the command line: only names of files that are listed become paths.
    if name not in set_names():
        raise unknown_key(name, all_set_names(), "data set")
    paths = [folder / f"{name}.lamolog" for folder in _folders()]
    return next((path for path in paths if path.exists()), paths[0])


def set_path(name: str) -> Path:
    """Return the file that set `name` ships as; raises `UsageError` with the nearest known name."""
    return vector_path(name) if name in vector_set_names() else log_path(name)


def set_task(name: str) -> str:
    """Return the task that set `name` is for; raises `UsageError`, `DataError`."""
    if name in vector_set_names():
        return str(read_card(name)["task"])
    return f"atari-{open_log(name).header.game}"


def lengths_and_returns(name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return steps and raw return of every episode of set `name`, (E,) each; raises `UsageError`, `DataError`."""
    if name in vector_set_names():
        content = open_vectors(name)
        return content.lengths, content.returns
    log = open_log(name)
    return log.lengths, log.table["return"].astype(np.float64)


def read_card(name: str) -> dict[str, Any]:
    """Return the data card of set `name`; raises `DataError` when it is damaged."""
    path = set_path(name).with_suffix(".json")
    return read_card_file(path, name, recovery_advice(path))


def open_log(name: str) -> ActionLog:
    """Return the checked action log of set `name`."""
    return read_log(log_path(name))


def cache_folder(log: ActionLog) -> Path:
    """Return where the frames of a log are kept; another log of the same name has another folder."""
    return data_dir() / "atari" / f"{log.header.name}-{log.sha256[:12]}"


def frame_path(log: ActionLog, episode: int) -> Path:
    """Return the cache file of one episode."""
    return cache_folder(log) / f"{int(log.table['seed'][episode])}.frames"


def cached_file(log: ActionLog, episode: int) -> FrameFile | None:
    """Return the episode's cached frames, packed, or None when they must be made (again)."""
    digest = log.table["frames_sha256"][episode].tobytes()
    return read_frame_file(frame_path(log, episode), int(log.lengths[episode]) + 1, digest)


def fetch_episodes(log: ActionLog, episodes: NDArray[np.int64], progress: Progress | None = None) -> list[FrameFile]:
    """Return the packed frames of `episodes`, replaying what the cache lacks.

    Raises `DataError` naming an episode that does not come back, `StorageError` when the cache cannot be
    written.
    """
    files = {int(episode): cached_file(log, int(episode)) for episode in episodes}
    missing = [episode for episode, file in files.items() if file is None]
    if missing:
        replay_episodes(log, missing, lambda episode: frame_path(log, episode), progress)
        files.update({episode: cached_file(log, episode) for episode in missing})
    found = [file for file in files.values() if file is not None]
    if len(found) != len(files):
        raise DamagedDataError(f"frames under {cache_folder(log)} vanished while they were read", "run again")
    return found


def replayed_store(
    log: ActionLog, card: dict[str, Any], selection: Selection, memory_gb: float, progress: Progress | None
) -> EpisodeStore:
    """Return the selected episodes of an action log, with their frames in memory or as blocks.

    Replays what the cache lacks.
    """
    episodes = selection.of(log.lengths)
    packed = PackedEpisodes(log, episodes, fetch_episodes(log, episodes, progress), lambda one: _again(log, one))
    return frame_store(packed, memory_gb, card, progress)


def _again(log: ActionLog, episode: int) -> FrameFile:
    replay_episodes(log, [episode], lambda index: frame_path(log, index))
    return fetch_episodes(log, np.array([episode]))[0]


def _folders() -> tuple[Path, Path]:
    # What ships comes first: a name means the same set on every machine.
    return assets_dir() / "atari", collected_folder()
