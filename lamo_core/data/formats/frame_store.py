"""Makes an `EpisodeStore` of chosen episodes whose frames lie packed in files: unpacked if they fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from lamo_core.data.episodes import EpisodeStore, FrameArray, FrameColumn, Frames
from lamo_core.data.formats.action_log import ActionLog
from lamo_core.data.formats.frame_blocks import FrameBlocks
from lamo_core.data.formats.frame_file import FRAME_BYTES, FrameFile
from lamo_core.data.sources.download import Progress
from lamo_core.errors import DataError

UNPACKING = "unpacking the frames"


@dataclass(frozen=True)
class PackedEpisodes:
    """Episodes of a log, chosen and found."""

    log: ActionLog
    episodes: NDArray[np.int64]
    """(E,) indices into the log."""
    files: list[FrameFile]
    again: Callable[[int], FrameFile]
    """Makes the file of an episode again once it turns out to be damaged; raises `DataError` when it cannot."""


def frame_store(
    packed: PackedEpisodes, memory_gb: float, card: dict[str, Any], progress: Progress | None
) -> EpisodeStore:
    """Return the episodes with their frames in memory or as blocks; raises `DataError`."""
    log, episodes = packed.log, packed.episodes
    memory = _usable_memory(memory_gb)
    rewards = [_mended(packed, row, FrameFile.rewards) for row in range(len(episodes))]
    observations: FrameColumn
    if sum(file.frames for file in packed.files) * FRAME_BYTES <= memory:
        observations = FrameArray(_unpack(packed, progress))
    else:
        observations = FrameBlocks(packed.files, memory)
    terminated = log.table["terminated"][episodes].astype(np.bool_)
    return EpisodeStore(
        name=log.header.name,
        observations=observations,
        actions=np.concatenate([log.episode_actions(int(episode)) for episode in episodes]),
        rewards=np.concatenate(rewards).astype(np.float32),
        lengths=log.lengths[episodes],
        terminated=terminated,
        truncated=~terminated,
        card=card,
    )


class PaddedFrames:
    """A `FrameColumn` with empty frames between those of another one."""

    def __init__(self, frames: FrameColumn, rows: NDArray[np.int64]) -> None:
        self._frames = frames
        self._rows = np.append(rows, -1)  # index -1 stays the empty frame

    def __len__(self) -> int:
        return len(self._rows) - 1

    def gather(self, indices: NDArray[np.int64]) -> Frames:
        """Return the frames (…, 84, 84) of row `indices` (…); index -1 gives an empty frame."""
        return self._frames.gather(self._rows[indices])


def with_empty_starts(store: EpisodeStore, counts: NDArray[np.int64]) -> EpisodeStore:
    """Return the store with `counts` (E,) empty steps before each episode: no picture, action 0, reward 0."""
    steps = _insert(np.arange(store.transitions), store.lengths, counts)
    rows = _insert(np.arange(len(store.observations)), store.lengths + 1, counts)
    real = steps >= 0
    actions, rewards = np.zeros(len(steps), store.actions.dtype), np.zeros(len(steps), np.float32)
    actions[real], rewards[real] = store.actions, store.rewards
    return replace(
        store,
        observations=PaddedFrames(store.observations, rows),
        actions=actions,
        rewards=rewards,
        lengths=store.lengths + counts,
    )


def _insert(values: NDArray[np.int64], lengths: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `values` with `counts` (E,) times -1 before each part of `lengths` (E,)."""
    places = np.repeat(np.cumsum(lengths) - lengths, counts)
    return np.insert(values, places, -1)


def _usable_memory(memory_gb: float) -> int:
    # Frames come out the same either way; a machine with little memory only reads them more slowly.
    return int(min(memory_gb * 1e9, 0.6 * psutil.virtual_memory().available))


def _unpack(packed: PackedEpisodes, progress: Progress | None) -> NDArray[np.uint8]:
    files = packed.files
    starts = np.concatenate([[0], np.cumsum([file.frames for file in files])])
    total = int(starts[-1])
    frames = np.empty((total + 1, 84, 84), np.uint8)
    frames[-1] = 0

    def unpack(row: int) -> int:
        frames[starts[row] : starts[row + 1]] = _mended(packed, row, _all_frames)
        return files[row].frames

    done = 0
    # zstd unpacks outside the interpreter's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for count in pool.map(unpack, range(len(files))):
            done += count
            if progress is not None:
                progress(UNPACKING, done, total)
    return frames


def _all_frames(file: FrameFile) -> NDArray[np.uint8]:
    return np.concatenate([file.block(index) for index in range(file.blocks)])


def _mended(packed: PackedEpisodes, row: int, read: Callable[[FrameFile], NDArray[Any]]) -> NDArray[Any]:
    # A damaged cache file is made again, once: it is only a copy of what the log says.
    try:
        return read(packed.files[row])
    except DataError:
        return read(packed.again(int(packed.episodes[row])))
