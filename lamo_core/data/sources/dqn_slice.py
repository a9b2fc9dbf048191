"""Cuts one slice of a DQN-Replay log into episodes, as it streams by: 7 GB of frames are never in one place.

A slice is four gzipped arrays of N rows: observation (N, 84, 84), action, reward and terminal. Row t holds what was
seen, done then, and what came of it; what was seen after the last step of an episode is not in the log. Dopamine's
replay buffer wrote it, with these habits (dopamine/replay_memory/circular_replay_buffer.py):

* three rows of zeros before each episode, so that stacks of four frames never reach into the one before;
* `terminal` marks a game that is over, not one that the limit of 27,000 steps cut;
* a log is written when the last slot of its buffer is still to be filled, so the last row of a slice is left over from
  a million steps before and is dropped here;
* slices follow one another, so the first and the last episode of a slice are partial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.npy_stream import OTHER_CONTENT, NpyStream, read_column
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.errors import DamagedDataError, TaskMismatchError, UnsupportedDataError

PARTS = ("terminal", "reward", "action", "observation")
"""Smallest files first."""
EMPTY_STEPS = 3
STEP_LIMIT = 27_000
MOST_ROWS = 2_000_000
_ROWS_AT_ONCE = 1_024


@dataclass(frozen=True)
class Columns:
    """All of a slice but the frames, checked: N - 1 rows."""

    actions: NDArray[np.uint8]
    rewards: NDArray[np.int32]
    terminals: NDArray[np.bool_]


def read_columns(paths: Mapping[str, Path], actions: int) -> Columns:
    """Return the columns of the files `paths`; `actions` is how many there are.

    Raises `DataError`, `TaskMismatchError`.
    """
    terminals, rewards, chosen = (read_column(paths[part], MOST_ROWS) for part in ("terminal", "reward", "action"))
    where = f"the slice in {paths['action'].parent}"
    if not len(terminals) == len(rewards) == len(chosen) > 1:
        rows = f"{len(terminals):,}, {len(rewards):,} and {len(chosen):,} rows"
        raise DamagedDataError(f"{where} holds columns of {rows}")
    problems = {
        "ends that are neither yes nor no": not np.isin(terminals, (0, 1)).all(),
        "rewards that are no whole numbers": not _are_whole(rewards),
        "actions that are no whole numbers from 0 on": not _are_whole(chosen) or chosen.min() < 0,
    }
    for problem, present in problems.items():
        if present:
            raise UnsupportedDataError(f"{where} holds {problem}", OTHER_CONTENT)
    if chosen.max() >= actions:
        raise TaskMismatchError(
            f"{where} holds action {int(chosen.max())}, and the game has {actions}, from 0 on",
            "get the slice of this game, or name the game that was played",
        )
    return Columns(chosen[:-1].astype(np.uint8), rewards[:-1].astype(np.int32), terminals[:-1].astype(np.bool_))


def cut_slice(
    paths: Mapping[str, Path],
    columns: Columns,
    writer: FrameSetWriter,
    progress: Callable[[int, int], None],
) -> int:
    """Write the episodes of a slice and return how many empty rows were dropped; raises `DataError`, `StorageError`.

    `progress(done, total)` counts rows.
    """
    rows = len(columns.actions)
    cutter = _Cutter(columns, writer)
    with ExitStack() as closing:
        frames = closing.enter_context(NpyStream(paths["observation"]))
        if frames.shape != (rows + 1, 84, 84) or frames.dtype != np.uint8:
            problem = f"holds {frames.dtype} of shape {frames.shape}, not {rows + 1} frames of 84x84 bytes"
            if frames.shape[1:] == (84, 84) and frames.dtype == np.uint8:
                raise DamagedDataError(f"{paths['observation']} {problem}")
            raise UnsupportedDataError(f"{paths['observation']} {problem}", OTHER_CONTENT)
        for first in range(0, rows, _ROWS_AT_ONCE):
            cutter.take(frames.rows(min(_ROWS_AT_ONCE, rows - first)), first)
            progress(first, rows)
        frames.rows(1)  # the left-over row; behind it the checksum
    cutter.close()
    progress(rows, rows)
    return cutter.dropped


class _Cutter:
    """Follows the rows of a slice and tells the writer where episodes begin and end."""

    def __init__(self, columns: Columns, writer: FrameSetWriter) -> None:
        self._columns = columns
        self._writer = writer
        self._empty = 0
        """Empty rows before the present episode."""
        self.dropped = 0

    def take(self, frames: NDArray[np.uint8], first: int) -> None:
        """Take the frames (n, 84, 84) of the rows from `first` on."""
        columns, row, last = self._columns, first, first + len(frames)
        blank = ~frames.reshape(len(frames), -1).any(1) & (columns.actions[first:last] == 0)
        blank &= (columns.rewards[first:last] == 0) & ~columns.terminals[first:last]
        ends = np.flatnonzero(columns.terminals[first:last]) + first
        while row < last:
            if not self._writer.steps and self._empty < EMPTY_STEPS and blank[row - first]:
                self._empty, self.dropped, row = self._empty + 1, self.dropped + 1, row + 1
                continue
            following = ends[np.searchsorted(ends, row) :]
            end = int(following[0]) + 1 if len(following) else last
            end = min(end, row + STEP_LIMIT - self._writer.steps)
            self._writer.add(frames[row - first : end - first], columns.actions[row:end], columns.rewards[row:end])
            row = end
            if columns.terminals[row - 1] or self._writer.steps == STEP_LIMIT:
                self._end(terminated=bool(columns.terminals[row - 1]))

    def close(self) -> None:
        """End the last episode where the slice ends."""
        self._end(terminated=False)

    def _end(self, *, terminated: bool) -> None:
        self._writer.end(terminated=terminated, empty=self._empty)
        self._empty = 0


def _are_whole(values: NDArray[Any]) -> bool:
    # NaN and infinities are not
    return bool(np.isfinite(values).all() and (np.abs(values) < 2**31).all() and (values == np.rint(values)).all())
