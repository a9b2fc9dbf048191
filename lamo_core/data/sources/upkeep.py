"""What `lamo data` does beside training: what is cached, whether it is whole, and how to get rid of it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.sources.action_log import ActionLog
from lamo_core.data.sources.bundled import cache_folder, cached_file, frame_path, open_log, read_card
from lamo_core.data.sources.bundled_vectors import open_vectors, vector_set_names
from lamo_core.data.sources.replay import Progress, replay_episodes
from lamo_core.errors import DataError, StorageError
from lamo_core.places import data_dir

CHECKING = "checking the cached frames"


@dataclass(frozen=True)
class SetStatus:
    """A bundled set and how much of it lies in the cache."""

    name: str
    task: str
    episodes: int
    transitions: int
    mean_return: float
    log_bytes: int
    cached_episodes: int
    cached_bytes: int
    needs_unpacking: bool = True
    """Whether frames must be made before training; vector sets are read as they are."""


def set_status(name: str) -> SetStatus:
    """Return the state of a bundled set; raises `UsageError`, `DataError`."""
    card = read_card(name)
    if name in vector_set_names():
        return SetStatus(
            name=name,
            task=str(card["task"]),
            episodes=int(card["episodes"]),
            transitions=int(card["transitions"]),
            mean_return=float(card["returns"]["mean"]),
            log_bytes=int(card["log_bytes"]),
            cached_episodes=0,
            cached_bytes=0,
            needs_unpacking=False,
        )
    log = open_log(name)
    cached = [file for file in _cache_files(name) if file.parent == cache_folder(log)]
    return SetStatus(
        name=name,
        task=f"atari-{log.header.game}",
        episodes=len(log.table),
        transitions=len(log.actions),
        mean_return=float(log.table["return"].mean()),
        log_bytes=int(card["log_bytes"]),
        cached_episodes=len(cached),
        cached_bytes=sum(file.stat().st_size for file in cached),
    )


@dataclass(frozen=True)
class Verification:
    """What `verify` looked at."""

    name: str
    log_sha256: str
    cached_checked: int
    removed: tuple[int, ...]
    """Episodes whose cached frames were damaged; they were deleted and are made again when they are needed."""
    replayed: int


def verify_set(name: str, replay: int = 0, progress: Progress | None = None) -> Verification:
    """Check the log against its card, every cached frame against the log, and replay some episodes anew.

    `replay` episodes are spread evenly over the set. Raises `DataError` at a damaged log or an episode that
    does not come back; damaged cache files are deleted.
    """
    if name in vector_set_names():
        return _verify_vectors(name)
    log = open_log(name)
    if read_card(name).get("log_sha256") != log.sha256:
        raise DataError(f"the log of {name} is not the one that its card describes; install lamo again")
    cached = [episode for episode in range(len(log.table)) if frame_path(log, episode).exists()]
    removed = []
    for done, episode in enumerate(cached, start=1):
        if not _is_whole(log, episode):
            frame_path(log, episode).unlink(missing_ok=True)
            removed.append(episode)
        if progress is not None:
            progress(CHECKING, done, len(cached))
    count = min(replay, len(log.table))
    if count:
        _replay_anew(log, np.linspace(0, len(log.table) - 1, count).round().astype(np.int64), progress)
    return Verification(name, log.sha256, len(cached), tuple(removed), count)


def _verify_vectors(name: str) -> Verification:
    content = open_vectors(name)
    if read_card(name).get("log_sha256") != content.sha256:
        raise DataError(f"the file of {name} is not the one that its card describes; install lamo again")
    return Verification(name, content.sha256, 0, (), 0)


def remove_cache(name: str) -> int:
    """Delete the cached frames of a set, those of older logs too, and return the freed bytes."""
    freed = 0
    for file in _cache_files(name):
        freed += file.stat().st_size
    for folder in {file.parent for file in _cache_files(name)}:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise StorageError(f"could not delete {folder}: {error.strerror or error}; delete it yourself") from error
    return freed


def _is_whole(log: ActionLog, episode: int) -> bool:
    file = cached_file(log, episode)
    if file is None:
        return False
    digest = sha256()
    try:
        for index in range(file.blocks):
            digest.update(file.block(index).tobytes())
        return_fits = int(file.rewards().sum()) == int(log.table["return"][episode])
    except DataError:
        return False
    return return_fits and digest.digest().startswith(log.table["frames_sha256"][episode].tobytes())


def _replay_anew(log: ActionLog, episodes: NDArray[np.int64], progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(prefix="lamo-verify-") as folder:
        replay_episodes(log, episodes.tolist(), lambda episode: Path(folder) / f"{episode}.frames", progress)


def _cache_files(name: str) -> list[Path]:
    # Logs of one name but another content have folders of their own: <name>-<12 hexadecimal digits>.
    folders = [folder for folder in (data_dir() / "atari").glob(f"{name}-*") if folder.name[:-13] == name]
    return [file for folder in folders for file in sorted(folder.glob("*.frames"))]
