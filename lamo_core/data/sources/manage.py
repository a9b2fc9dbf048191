"""What `lamo data` does beside training: which sets are here, whether they are whole, and how to get rid of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.checks.recovery import recovery_advice
from lamo_core.data.formats.action_log import ActionLog, read_log
from lamo_core.data.formats.frame_file import FrameFile
from lamo_core.data.formats.replay_pool import Progress, replay_episodes
from lamo_core.data.formats.vector_file import read_vectors
from lamo_core.data.sources.resolve import AnySet, ShippedSet
from lamo_core.data.store.bundled_logs import all_set_names, cache_folder, cached_file, frame_path
from lamo_core.data.store.frame_set import episode_file
from lamo_core.data.store.local import ReceivedSet, received_sets, remove_received
from lamo_core.errors import DamagedDataError, DataError, MissingError, StorageError
from lamo_core.places import data_dir
from lamo_core.wording import counted

CHECKING = "checking the frames"


@dataclass(frozen=True)
class SetStatus:
    """A set and how much of it lies in the cache."""

    name: str
    task: str
    episodes: int
    transitions: int
    mean_return: float
    log_bytes: int
    cached_episodes: int
    cached_bytes: int
    needs_unpacking: bool = True
    """Whether frames must be made before training; other sets are read as they are."""
    source: str = "bundled"


def all_sets() -> list[AnySet]:
    """Return every set on this machine: those that ship with lamo, then those that came from elsewhere."""
    return [*map(ShippedSet, all_set_names()), *received_sets()]


def set_status(found: AnySet) -> SetStatus:
    """Return the state of a set; raises `DataError`."""
    card = found.card()
    log = None if found.is_vectors else read_log(found.path)
    replayed = log is not None and is_replayed(found, log)
    cached = [file for file in _cache_files(log) if file.parent == cache_folder(log)] if log and replayed else []
    return SetStatus(
        name=found.name,
        task=str(card["task"]),
        episodes=int(card["episodes"]),
        transitions=int(card["transitions"]),
        mean_return=float(card["returns"]["mean"]),
        log_bytes=int(card["log_bytes"]),
        cached_episodes=len(cached),
        cached_bytes=sum(file.stat().st_size for file in cached),
        needs_unpacking=replayed,
        source=found.source,
    )


def is_replayed(found: AnySet, log: ActionLog) -> bool:
    """Return whether the frames of a log are made by replaying it; otherwise they lie beside it."""
    return isinstance(found, ShippedSet) or bool(log.header.ale_py)


@dataclass(frozen=True)
class Verification:
    """What `verify` looked at."""

    name: str
    log_sha256: str
    cached_checked: int
    removed: tuple[int, ...]
    """Episodes whose cached frames were damaged; they were deleted and are made again when they are needed."""
    replayed: int


def verify_set(found: AnySet, replay: int = 0, progress: Progress | None = None) -> Verification:
    """Check a set against its card, its frames against their hashes, and replay some episodes of a log anew.

    `replay` episodes are spread evenly over the set. Raises `DataError` at a damaged file, at damaged frames that
    cannot be made again, and at an episode that does not come back; damaged cache files are deleted.
    """
    if found.is_vectors:
        digest = read_vectors(found.path).sha256
        _check_digest(found, digest)
        return Verification(found.name, digest, 0, (), 0)
    log = read_log(found.path)
    _check_digest(found, log.sha256)
    if not is_replayed(found, log):
        return _verify_kept(found, log, progress)
    return _verify_replayed(found, log, replay, progress)


def remove_set(found: AnySet) -> int:
    """Delete a set that came from elsewhere, or the unpacked frames of one that ships; return the freed bytes."""
    freed = _remove_replayed(found)
    if isinstance(found, ReceivedSet):
        return freed + remove_received(found)
    return freed + (_remove_files(found.path) if found.source == "collected" else 0)


def unfinished_downloads() -> dict[str, list[Path]]:
    """Return by name what was fetched of sets that are not here yet; `lamo data get` goes on from there."""
    found: dict[str, list[Path]] = {}
    for path in sorted((data_dir() / "downloads").glob("*/*")):
        name = path.name.replace("--", "/") if path.is_dir() else path.name.partition(".hdf5")[0]
        found.setdefault(name, []).append(path)
    return found


def remove_unfinished(name: str) -> int:
    """Delete what was fetched of a set that is not here yet; return the freed bytes. Raises `StorageError`."""
    freed = 0
    for path in unfinished_downloads().get(name, []):
        freed += size_on_disk(path)
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise StorageError(f"could not delete {path}: {error.strerror or error}; delete it yourself") from error
    return freed


def size_on_disk(path: Path) -> int:
    """Return the bytes of a file, or of the files in a folder."""
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _remove_files(path: Path) -> int:
    """Delete a set's file and its card."""
    freed = 0
    for file in (path, path.with_suffix(".json")):
        try:
            freed += file.stat().st_size
            file.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"could not delete {file}: {error.strerror or error}; delete it yourself") from error
    return freed


def _remove_replayed(found: AnySet) -> int:
    if found.is_vectors:
        return 0
    try:
        log = read_log(found.path)
    except (DataError, MissingError):
        if isinstance(found, ReceivedSet):
            return 0  # what is damaged can be deleted too
        raise
    return _remove_cache(log) if is_replayed(found, log) else 0


def _remove_cache(log: ActionLog) -> int:
    # those of older logs of the name too
    freed = 0
    files = _cache_files(log)
    for file in files:
        freed += file.stat().st_size
    for folder in {file.parent for file in files}:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise StorageError(f"could not delete {folder}: {error.strerror or error}; delete it yourself") from error
    return freed


def _check_digest(found: AnySet, digest: str) -> None:
    if found.card().get("log_sha256") != digest:
        raise DamagedDataError(
            f"the file of {found.name} is not the one that its card describes", recovery_advice(found.path)
        )


def _verify_replayed(found: AnySet, log: ActionLog, replay: int, progress: Progress | None) -> Verification:
    cached = [episode for episode in range(len(log.table)) if frame_path(log, episode).exists()]
    removed = _damaged(log, cached, lambda episode: cached_file(log, episode), progress)
    for episode in removed:
        frame_path(log, episode).unlink(missing_ok=True)
    count = min(replay, len(log.table))
    if count:
        _replay_anew(log, np.linspace(0, len(log.table) - 1, count).round().astype(np.int64), progress)
    return Verification(found.name, log.sha256, len(cached), tuple(removed), count)


def _verify_kept(found: AnySet, log: ActionLog, progress: Progress | None) -> Verification:
    assert isinstance(found, ReceivedSet)
    episodes = list(range(len(log.table)))
    damaged = _damaged(log, episodes, lambda episode: episode_file(found, log, episode), progress)
    if damaged:
        raise DamagedDataError(
            f"{found.name} has damaged frames in {counted(len(damaged), 'episode')}", recovery_advice(found.path)
        )
    return Verification(found.name, log.sha256, len(episodes), (), 0)


def _damaged(
    log: ActionLog, episodes: list[int], file_of: Callable[[int], FrameFile | None], progress: Progress | None
) -> list[int]:
    damaged = []
    for done, episode in enumerate(episodes, start=1):
        if not _is_whole(log, episode, file_of):
            damaged.append(episode)
        if progress is not None:
            progress(CHECKING, done, len(episodes))
    return damaged


def _is_whole(log: ActionLog, episode: int, file_of: Callable[[int], FrameFile | None]) -> bool:
    digest = sha256()
    try:
        file = file_of(episode)
        if file is None:
            return False
        for index in range(file.blocks):
            digest.update(file.block(index).tobytes())
        return_fits = int(file.rewards().sum()) == int(log.table["return"][episode])
    except DataError:
        return False
    return return_fits and digest.digest().startswith(log.table["frames_sha256"][episode].tobytes())


def _replay_anew(log: ActionLog, episodes: NDArray[np.int64], progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(prefix="lamo-verify-") as folder:
        replay_episodes(log, episodes.tolist(), lambda episode: Path(folder) / f"{episode}.frames", progress)


def _cache_files(log: ActionLog) -> list[Path]:
    # Logs of one name but another content have folders of their own: <name>-<12 hexadecimal digits>.
    name = log.header.name
    folders = [folder for folder in (data_dir() / "atari").glob(f"{name}-*") if folder.name[:-13] == name]
    return [file for folder in folders for file in sorted(folder.glob("*.frames"))]
