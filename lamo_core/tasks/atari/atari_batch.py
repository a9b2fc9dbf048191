"""A batch of Atari episodes on ale-py's C++ environments: 84x84 grey frames, four stacked, no tricks.

Each episode has a vector environment of size one with its own C++ thread. All decisions are sent before any
result is fetched, so the games run in parallel, and a finished episode costs nothing more (a vector
environment of size N would start it again and go on). No reward clipping, no life-loss ends, no fire at the
start; the no-op start is made of ordinary decisions, so that seed, no-ops and actions replay an episode in
`AtariEmulator`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import UsageError
from lamo_core.tasks.door import blamed
from lamo_core.tasks.environment import Array, IntArray
from lamo_core.tasks.task import Task

_NOOP = np.zeros(1, np.int64)
# Episodes are cut by decisions, here; ale-py's own limit counts frames.
_NO_LIMIT = 2**31 - 1


def noop_start(seed: int, noop_max: int) -> int:
    """Return the no-op decisions at the start of the episode of `seed`: uniform in 0..noop_max."""
    return int(np.random.default_rng(seed).integers(0, noop_max + 1))


class AtariBatch:
    """`size` episodes of one game; see `EnvBatch`."""

    def __init__(self, config: TaskConfig, task: Task, size: int) -> None:
        self.size = size
        self._config = config
        self._games = [_new_game(config, task.short_name) for _ in range(size)]
        self._observations: NDArray[np.uint8] = np.zeros((size, 4, 84, 84), np.uint8)
        self._noops: IntArray = np.zeros(size, np.int64)
        self._decisions: IntArray = np.zeros(size, np.int64)
        self._terminated = np.zeros(size, np.bool_)
        self._truncated = np.zeros(size, np.bool_)

    def reset(self, seeds: IntArray) -> Array:
        """Start the episodes of `seeds` (N,) and return (N, 4, 84, 84) uint8.

        Frames before the first decision are empty, as in the data: the no-op start is not part of the
        episode.
        """
        if len(seeds) != self.size:
            raise UsageError(f"{self.size} environments need {self.size} seeds, not {len(seeds)}")
        self._noops[:] = [noop_start(int(seed), self._config.noop_max) for seed in seeds]
        self._decisions[:] = 0
        self._terminated[:] = False
        self._truncated[:] = False
        self._observations[:] = 0
        with blamed(self._config.name, "in reset"):
            for row, (game, seed) in enumerate(zip(self._games, seeds, strict=True)):
                newest = game.reset(seed=np.array([seed], np.int64))[0]
                for _ in range(self._noops[row]):
                    newest = game.step(_NOOP)[0]
                self._observations[row, -1] = newest[0, -1]
        return self._observations.copy()

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array]:
        """Take one decision in every unfinished episode; `actions` (N,) index the minimal action set."""
        rewards = np.zeros(self.size, np.float64)
        live = np.flatnonzero(~(self._terminated | self._truncated))
        chosen = np.asarray(actions, np.int64)
        self._decisions[live] += 1
        self._observations[live, :-1] = self._observations[live, 1:]
        with blamed(self._config.name, f"in step {self._decisions.max()}"):
            for row in live:
                self._games[row].send(chosen[row : row + 1])
            for row in live:
                newest, reward, over, _, _ = self._games[row].recv()
                self._observations[row, -1] = newest[0, -1]
                rewards[row] = reward[0]
                self._terminated[row] = over[0]
        self._truncated[live] = ~self._terminated[live] & (self._decisions[live] >= self._config.max_steps)
        return self._observations.copy(), rewards, self._terminated.copy(), self._truncated.copy()

    def noops(self) -> IntArray:
        """Return the no-op decisions at the start of each episode (N,)."""
        return self._noops.copy()

    def close(self) -> None:
        """Free the games and their threads."""
        for game in self._games:
            game.close()
        self._games.clear()


def _new_game(config: TaskConfig, game: str) -> Any:
    return AtariVectorEnv(
        game,
        num_envs=1,
        num_threads=1,
        stack_num=1,
        noop_max=0,
        use_fire_reset=False,
        episodic_life=False,
        reward_clipping=False,
        repeat_action_probability=config.sticky_actions,
        max_num_frames_per_episode=_NO_LIMIT,
    )
