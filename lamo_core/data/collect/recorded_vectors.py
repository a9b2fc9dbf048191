"""A recorded episode of a task with vector observations: one small `.npz` file each, until a set is packed.

Legend: T steps, O observation features, A action dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.collect.recorded_games import COLLECT_AGAIN
from lamo_core.data.formats.array_file import Form, read_arrays, write_arrays


@dataclass(frozen=True)
class VectorEpisode:
    """One whole episode as it was played."""

    seed: int
    observations: NDArray[np.float32]
    """(T + 1, O)."""
    actions: NDArray[Any]
    """float32 (T, A) as the environment got them, or uint8 (T,)."""
    rewards: NDArray[np.float32]
    """(T,) raw."""
    terminated: bool
    """Whether the task itself ended the episode; otherwise the time limit or the end of the script cut it."""
    policy: str
    noise: float
    """Of the behaviour policy, in the unit that its recipe says."""

    @property
    def ret(self) -> float:
        """Sum of the rewards."""
        return float(self.rewards.sum(dtype=np.float64))


_FORMS = {
    "seed": Form("iu"),
    "observations": Form("f", (2,)),
    "actions": Form("fu", (1, 2)),
    "rewards": Form("f", (1,)),
    "terminated": Form("b"),
    "policy": Form("U"),
    "noise": Form("f"),
}


def save_vectors(folder: Path, episode: VectorEpisode) -> None:
    """Write the episode to `folder`/<seed>.npz; raises `StorageError`."""
    write_arrays(folder / f"{episode.seed}.npz", vars(episode))


def load_vectors(folder: Path, seed: int) -> VectorEpisode | None:
    """Return the saved episode of `seed`, or None when there is none yet; raises `DataError` at a damaged file."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        return None
    saved = read_arrays(path, COLLECT_AGAIN, _FORMS)
    return VectorEpisode(
        seed=int(saved["seed"]),
        observations=saved["observations"],
        actions=saved["actions"],
        rewards=saved["rewards"],
        terminated=bool(saved["terminated"]),
        policy=str(saved["policy"]),
        noise=float(saved["noise"]),
    )


class EpisodeBuilder:
    """Gathers an episode step by step."""

    def __init__(self, seed: int, policy: str, noise: float, first: NDArray[np.float64]) -> None:
        self._seed, self._policy, self._noise = seed, policy, noise
        self._observations = [np.array(first, np.float32)]  # a copy: environments may use their arrays again
        self._actions: list[NDArray[Any]] = []
        self._rewards: list[float] = []

    def __len__(self) -> int:
        return len(self._rewards)

    def add(self, action: NDArray[Any], observation: NDArray[np.float64], reward: float) -> None:
        """Note one step: the action, float32 (A,) or one uint8, what it led to (O,) and what it paid."""
        self._actions.append(action)
        self._observations.append(np.array(observation, np.float32))
        self._rewards.append(reward)

    def finish(self, terminated: bool) -> VectorEpisode:
        """Return the episode; needs at least one step."""
        return VectorEpisode(
            seed=self._seed,
            observations=np.stack(self._observations),
            actions=np.stack(self._actions),
            rewards=np.array(self._rewards, np.float32),
            terminated=terminated,
            policy=self._policy,
            noise=self._noise,
        )
