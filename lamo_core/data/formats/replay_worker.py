"""A worker process that plays episodes again and writes their frames; started by `replay`, never imported by
it.

Jobs come in as one JSON line each, reports go out the same way; the worker ends with its input, so it cannot
outlive a killed parent. It loads NumPy and ale-py, not torch.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.frame_file import write_frame_file
from lamo_core.errors import DamagedDataError, LamoError
from lamo_core.tasks.atari.atari_emulator import AtariEmulator
from lamo_core.untrusted.parsing import parse_json

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

    def line(self) -> str:
        """Return the job as one line."""
        return json.dumps(asdict(self)) + "\n"


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


def _answer(job: ReplayJob, emulators: dict[tuple[str, float, int], AtariEmulator]) -> dict[str, object]:
    key = (job.game, job.sticky_actions, job.frame_skip)
    try:
        if key not in emulators:
            emulators[key] = AtariEmulator(*key)
        replay(job, emulators[key], lambda done: _send({"progress": done}))
    except LamoError as error:
        return {"error": type(error).__name__, "arguments": [str(part) for part in error.args]}
    return {"finished": job.episode}


def _send(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    """Answer jobs from standard input until it ends."""
    # Ctrl-C in a terminal reaches every process; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    emulators: dict[tuple[str, float, int], AtariEmulator] = {}
    try:
        for line in sys.stdin:
            _send(_answer(ReplayJob(**parse_json(line)), emulators))
    except BrokenPipeError:  # the parent is gone
        os._exit(0)


if __name__ == "__main__":
    main()
