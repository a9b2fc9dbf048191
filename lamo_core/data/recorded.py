"""A recorded episode as the collector saves it: one small `.npz` file each, until a set is packed into a
log."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DataError
from lamo_core.files import write_bytes


@dataclass(frozen=True)
class RecordedEpisode:
    """Everything that brings an episode back, and what proves that it came back whole."""

    seed: int
    noops: int
    """No-op decisions before the policy's first; executed at replay, absent from the store."""
    actions: NDArray[np.uint8]
    rewards: NDArray[np.int32]
    """Raw rewards of the policy's decisions."""
    terminated: bool
    """Whether the game was over; otherwise the time limit cut the episode."""
    policy: str
    noise: float
    frames_sha256: bytes
    """Over the T + 1 frames (84x84 bytes each) from the policy's first decision on."""


def save_recorded(folder: Path, episode: RecordedEpisode) -> None:
    """Write the episode to `folder`/<seed>.npz; raises `StorageError`."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        seed=episode.seed,
        noops=episode.noops,
        actions=episode.actions,
        rewards=episode.rewards,
        terminated=episode.terminated,
        policy=episode.policy,
        noise=episode.noise,
        frames_sha256=np.frombuffer(episode.frames_sha256, np.uint8),
    )
    write_bytes(folder / f"{episode.seed}.npz", buffer.getvalue(), "--out FOLDER")


def load_recorded(folder: Path, seed: int) -> RecordedEpisode | None:
    """Return the saved episode of `seed`, or None when there is none yet; raises `DataError` at a damaged file."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as saved:
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
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged; delete it and collect again") from error
