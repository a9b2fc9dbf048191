"""A recorded episode of a game: one small `.npz` file each, until a set is packed into a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.array_file import Form, read_arrays, write_arrays

COLLECT_AGAIN = "delete it and collect again"


@dataclass(frozen=True)
class RecordedEpisode:
    """Everything that brings an episode back, and what proves that it came back whole."""

    seed: int
    noops: int
    """No-op decisions before the policy's first; executed at replay, absent from the store."""
    actions: NDArray[np.uint8]
    """(T,) of the policy's decisions."""
    rewards: NDArray[np.int32]
    """(T,) raw."""
    terminated: bool
    """Whether the game was over; otherwise the time limit cut the episode."""
    policy: str
    noise: float
    frames_sha256: bytes
    """Over the T + 1 frames (84x84 bytes each) from the policy's first decision on."""


_FORMS = {
    **dict.fromkeys(("seed", "noops"), Form("iu")),
    "actions": Form("u", (1,)),
    "rewards": Form("i", (1,)),
    "terminated": Form("b"),
    "policy": Form("U"),
    "noise": Form("f"),
    "frames_sha256": Form("u", (1,)),
}


def save_recorded(folder: Path, episode: RecordedEpisode) -> None:
    """Write the episode to `folder`/<seed>.npz; raises `StorageError`."""
    arrays = {**vars(episode), "frames_sha256": np.frombuffer(episode.frames_sha256, np.uint8)}
    write_arrays(folder / f"{episode.seed}.npz", arrays, packed=True)


def load_recorded(folder: Path, seed: int) -> RecordedEpisode | None:
    """Return the saved episode of `seed`, or None when there is none yet; raises `DataError` at a damaged file."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        return None
    saved = read_arrays(path, COLLECT_AGAIN, _FORMS)
    return RecordedEpisode(
        seed=int(saved["seed"]),
        noops=int(saved["noops"]),
        actions=saved["actions"],
        rewards=saved["rewards"],
        terminated=bool(saved["terminated"]),
        policy=str(saved["policy"]),
        noise=float(saved["noise"]),
        frames_sha256=saved["frames_sha256"].tobytes(),
    )
