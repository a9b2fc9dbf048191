"""A set of episodes with frames in one folder: an action log that says what they are, and a file of frames for each.

Unlike a log that ships, it cannot be replayed: the frames are the data. Its table uses the columns of an action log;
`seed` counts the episodes, `noops` is how many empty steps the source kept before an episode.

Legend: T steps of an episode.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import HASH_BYTES, TABLE, ActionLog, LogHeader, read_log, write_log
from lamo_core.data.formats.frame_file import FrameFile, FramePacker, read_frame_file
from lamo_core.data.store.local import LOG, ReceivedSet, again
from lamo_core.errors import DamagedDataError, UnsupportedDataError
from lamo_core.places import DATA_ELSEWHERE


class FrameSetWriter:
    """Writes episodes that come frame by frame into a folder; holds one packed episode at a time."""

    def __init__(self, folder: Path, header: LogHeader) -> None:
        self._folder = folder
        self._header = header
        self._records: list[tuple[Any, ...]] = []
        self._all_actions: list[NDArray[np.uint8]] = []
        self._last: NDArray[np.uint8]
        self._start()

    @property
    def steps(self) -> int:
        """Steps of the episode so far."""
        return self._packer.frames

    def add(self, frames: NDArray[np.uint8], actions: NDArray[np.uint8], rewards: NDArray[np.int32]) -> None:
        """Append n steps: what was seen (n, 84, 84), done (n,) and paid (n,)."""
        self._packer.add(frames)
        self._actions.append(actions)
        self._rewards.append(rewards)
        self._last = frames[-1:]

    def end(self, *, terminated: bool, last: NDArray[np.uint8] | None = None, empty: int = 0) -> None:
        """End the episode; `last` (84, 84) is what was seen after the last step, else the last picture again.

        An episode without steps is left out. `empty` steps were dropped before it. Raises `StorageError`.
        """
        if self.steps:
            index = len(self._records)
            self._packer.add(self._last if last is None else last[None])
            actions, rewards = np.concatenate(self._actions), np.concatenate(self._rewards).astype("<i4")
            digest = self._packer.digest()[:HASH_BYTES]
            self._packer.write(self._folder / f"{index}.frames", rewards, digest)
            total, check = int(rewards.sum(dtype=np.int64)), zlib.crc32(rewards.tobytes())
            kind = (terminated, 0, 0.0, np.frombuffer(digest, np.uint8))
            self._records.append((index, empty, len(actions), total, check, *kind))
            self._all_actions.append(actions)
        self._start()

    def finish(self) -> ActionLog:
        """Write the log and return it; raises `DataError` without a single episode, `StorageError`."""
        if not self._records:
            raise UnsupportedDataError("there is no whole episode in it", "get a longer part of it")
        longest = max(record[2] for record in self._records)
        header = replace(self._header, max_steps=max(self._header.max_steps, longest))
        table = np.array(self._records, TABLE)
        write_log(self._folder / LOG, header, table, np.concatenate(self._all_actions), elsewhere=DATA_ELSEWHERE)
        return read_log(self._folder / LOG)

    def _start(self) -> None:
        self._packer = FramePacker()
        self._actions: list[NDArray[np.uint8]] = []
        self._rewards: list[NDArray[np.int32]] = []
        self._last = np.empty((0, 84, 84), np.uint8)


def episode_file(found: ReceivedSet, log: ActionLog, episode: int) -> FrameFile:
    """Return the packed frames of one episode; raises `DataError` when they are not there whole."""
    row = log.table[episode]
    path = found.frames(int(row["seed"]))
    file = read_frame_file(path, int(row["length"]) + 1, row["frames_sha256"].tobytes())
    if file is None:
        raise DamagedDataError(f"the frames at {path} are missing or damaged", again(found.source, found.name))
    return file


def is_partial(log: ActionLog) -> NDArray[np.bool_]:
    """Return which episodes (E,) of a slice of a longer stream are cut off by its borders.

    The first one is whole only if empty steps, which the stream has before each episode, come before it; the last one
    only if it ends by itself or by the step limit.
    """
    partial = np.zeros(len(log.table), np.bool_)
    partial[0] = log.table["noops"][0] == 0
    last = log.table[-1]
    partial[-1] |= not last["terminated"] and last["length"] < log.header.max_steps
    return partial
