"""The worker process of `replay_pool`: plays episodes again and writes their frames.

It loads NumPy and ale-py, not torch.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.frame_file import write_frame_file
from lamo_core.errors import DamagedDataError
from lamo_core.tasks.atari.atari_emulator import AtariEmulator
from lamo_core.workers.jobs import Report, serve

REPORT_EVERY = 250
"""Decisions between two reports of progress."""


@dataclass(frozen=True)
class ReplayJob:
    """One episode to bring back, as text and numbers only."""

    set_name: str
    episode: int
    game: str
    sticky_actions: float
    frame_skip: int
    seed: int
    noops: int
    actions: str
    """Base64 of the bytes."""
    terminated: bool
    rewards_crc32: int
    frames_sha256: str
    """Hexadecimal, first bytes."""
    path: str
    """Of the frame file to write."""


def replay(job: ReplayJob, emulator: AtariEmulator, report: Callable[[int], None]) -> None:
    """Play the episode, check it against its hashes and write its frame file; raises `DataError`, `StorageError`."""
    actions = np.frombuffer(base64.b64decode(job.actions), np.uint8)
    frames = np.empty((len(actions) + 1, 84, 84), np.uint8)
    rewards = np.zeros(len(actions), np.int32)
    if not _play(job, emulator, actions, frames, rewards, report):
        raise _not_equal(job, "the game ends at another time")
    if emulator.over != job.terminated:
        raise _not_equal(job, "the game ends at another time")
    if zlib.crc32(rewards.astype("<i4").tobytes()) != job.rewards_crc32:
        raise _not_equal(job, "its rewards differ")
    digest = sha256(frames.tobytes()).digest()
    if not digest.hex().startswith(job.frames_sha256):
        raise _not_equal(job, "its frames differ")
    write_frame_file(Path(job.path), frames, rewards, bytes.fromhex(job.frames_sha256))


def _play(
    job: ReplayJob,
    emulator: AtariEmulator,
    actions: NDArray[np.uint8],
    frames: NDArray[np.uint8],
    rewards: NDArray[np.int32],
    report: Callable[[int], None],
) -> bool:
    emulator.reset(job.seed)
    for _ in range(job.noops):
        emulator.step(0)
    frames[0] = emulator.frame()
    for step, action in enumerate(actions):
        if emulator.over:
            return False
        rewards[step] = emulator.step(int(action))
        frames[step + 1] = emulator.frame()
        if (step + 1) % REPORT_EVERY == 0:
            report(step + 1)
    return True


def _not_equal(job: ReplayJob, what: str) -> DamagedDataError:
    return DamagedDataError(
        f"episode {job.episode} (seed {job.seed}) of {job.set_name} does not come back as it was recorded: {what}",
        "the action log is damaged, or this ale-py plays differently (0.11 to 0.12 play alike)",
    )


class _Replayer:
    """Answers jobs; keeps an emulator of every kind that they ask for."""

    def __init__(self) -> None:
        self._emulators: dict[tuple[str, float, int], AtariEmulator] = {}

    def answer(self, values: dict[str, Any], report: Report) -> int:
        """Do a job and return its episode."""
        job = ReplayJob(**values)
        key = (job.game, job.sticky_actions, job.frame_skip)
        if key not in self._emulators:
            self._emulators[key] = AtariEmulator(*key)
        replay(job, self._emulators[key], report)
        return job.episode


if __name__ == "__main__":
    serve(_Replayer().answer)
