"""Episodes as they are played side by side: what was asked, done and earned. NumPy only.

Shape suffixes: N episodes side by side, M of them still running, T decisions, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import ContextMode, RewardUnit, RunConfig
from lamo_core.evaluation.scores import ActionMode


@dataclass(frozen=True)
class EpisodeResult:
    """One episode; task config, seed, no-ops and actions bring it back exactly."""

    target: float
    seed: int
    noops: int
    """No-op decisions before the first action."""
    actions: NDArray[Any]
    """(T,) uint8 or (T, A) float32 as the environment got them."""
    rewards: NDArray[np.float64]
    """(T,) raw."""
    ret: float
    """Sum of the raw rewards."""
    terminated: bool
    truncated: bool
    returns_to_go: NDArray[np.float32]
    """(T,) what was still asked for at each decision, not scaled."""
    probabilities: NDArray[np.float16] | None
    """(T, A) of discrete actions, if they were asked for."""

    @property
    def length(self) -> int:
        """How many decisions the policy made."""
        return len(self.rewards)


@dataclass(frozen=True)
class Asked:
    """How episodes are played; the same values and weights give the same episodes on a CPU."""

    targets: tuple[float, ...]
    episodes: int
    """Per target; episode i of every target has the environment seed `seed + i`."""
    context: ContextMode
    action: ActionMode
    seed: int
    rewards: RewardUnit = "raw"
    """What is subtracted from the target; clipped is the sign of each reward, as in clipped data."""
    record: bool = False
    """Whether to keep action probabilities."""

    @classmethod
    def by(cls, config: RunConfig, targets: Sequence[float], episodes: int, *, record: bool = False) -> Asked:
        """Return what a run's own settings ask for."""
        own = config.eval
        return cls(tuple(targets), episodes, own.context, own.action, own.seed, config.paid, record)


def action_stream(seed: int) -> np.random.Generator:
    """Return the random numbers, one a decision, that draw the actions of the episode with this seed."""
    return np.random.default_rng([seed, 1])


def action_chances(out_MA: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probabilities (M, A) of logits."""
    weights_MA = np.exp((out_MA - out_MA.max(axis=1, keepdims=True)).astype(np.float64))
    return np.asarray(weights_MA / weights_MA.sum(axis=1, keepdims=True))


def draw_actions(chances_MA: NDArray[np.float64], drawn_M: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the actions (M,) that uniform numbers from [0, 1) draw."""
    actions_M = (np.cumsum(chances_MA, axis=1) <= drawn_M[:, None]).sum(axis=1)
    return np.asarray(np.minimum(actions_M, chances_MA.shape[1] - 1))


class Wave:
    """What episodes played side by side have asked, done and earned so far."""

    def __init__(self, asked: Asked, jobs: Sequence[tuple[float, int]]) -> None:
        self.asked = asked
        self.targets_N = np.array([target for target, _ in jobs], dtype=np.float64)
        self.seeds_N = np.array([seed for _, seed in jobs], dtype=np.int64)
        # One stream for each episode, so that its draws do not depend on how many others are played.
        self._streams = [action_stream(seed) for _, seed in jobs]
        self.noops_N = np.zeros(len(jobs), dtype=np.int64)
        self.lengths_N = np.zeros(len(jobs), dtype=np.int64)
        self.terminated_N = np.zeros(len(jobs), dtype=bool)
        self.truncated_N = np.zeros(len(jobs), dtype=bool)
        self.earned_N = np.zeros(len(jobs), dtype=np.float64)
        self._asked: list[NDArray[np.float32]] = []
        self._actions: list[NDArray[Any]] = []
        self._rewards: list[NDArray[np.float64]] = []
        self._probabilities: list[NDArray[np.float16]] = []

    def returns_to_go(self, running_M: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what is still asked of the running episodes, (M,)."""
        left_N = self.targets_N - self.earned_N
        with np.errstate(over="ignore"):  # of rewards so large that the policy's outputs will tell
            self._asked.append(left_N.astype(np.float32))
        return np.asarray(left_N[running_M])

    def choose(self, out_MA: NDArray[np.float32], running_M: NDArray[np.int64], *, discrete: bool) -> NDArray[Any]:
        """Turn logits or means into actions: (M,) int64 or (M, A) float32."""
        if not discrete:
            return np.clip(out_MA, -1.0, 1.0)
        chances_MA = action_chances(out_MA)
        if self.asked.record:
            kept_NA = np.zeros((len(self.seeds_N), out_MA.shape[1]), np.float16)
            kept_NA[running_M] = chances_MA
            self._probabilities.append(kept_NA)
        if self.asked.action == "greedy":
            return np.asarray(out_MA.argmax(axis=1))
        return draw_actions(chances_MA, np.array([self._streams[row].random() for row in running_M]))

    def add(
        self,
        running_M: NDArray[np.int64],
        actions_N: NDArray[Any],
        rewards_N: NDArray[np.float64],
        terminated_N: NDArray[np.bool_],
        truncated_N: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Note one decision of the running episodes and return which of all episodes are over, (N,)."""
        paid_N = np.zeros_like(self.earned_N)
        paid_N[running_M] = rewards_N[running_M]
        self._actions.append(actions_N)
        self._rewards.append(paid_N)
        self.earned_N += np.sign(paid_N) if self.asked.rewards == "clipped" else paid_N
        self.lengths_N[running_M] += 1
        self.terminated_N[running_M] |= terminated_N[running_M]
        self.truncated_N[running_M] |= truncated_N[running_M]
        return self.terminated_N | self.truncated_N

    def whole(self) -> list[EpisodeResult]:
        """Return the episodes that have come to their end."""
        over_N = self.terminated_N | self.truncated_N
        return [result for result, over in zip(self.results(), over_N, strict=True) if over] if over_N.any() else []

    def results(self) -> list[EpisodeResult]:
        """Cut the columns into episodes."""
        actions_TN, rewards_TN = np.stack(self._actions), np.stack(self._rewards)
        asked_TN = np.stack(self._asked)
        chances_TNA = np.stack(self._probabilities) if self._probabilities else None
        dtype = np.uint8 if actions_TN.ndim == 2 else np.float32
        results = []
        for row, length in enumerate(self.lengths_N):
            rewards = rewards_TN[:length, row].copy()
            results.append(
                EpisodeResult(
                    target=float(self.targets_N[row]),
                    seed=int(self.seeds_N[row]),
                    noops=int(self.noops_N[row]),
                    actions=actions_TN[:length, row].astype(dtype),
                    rewards=rewards,
                    ret=float(rewards.sum()),
                    terminated=bool(self.terminated_N[row]),
                    truncated=bool(self.truncated_N[row]),
                    returns_to_go=asked_TN[:length, row].copy(),
                    probabilities=None if chances_TNA is None else chances_TNA[:length, row].copy(),
                )
            )
        return results
