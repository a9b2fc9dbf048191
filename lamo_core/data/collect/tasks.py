"""Episodes of any task by a policy that is handed in, until there are enough of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np

from lamo_core.data.collect.recorders import Episode, Recorder
from lamo_core.tasks.environment import Array

Act = Callable[[Array], Any]
"""Takes an observation and returns an action."""

RANDOM = "random"


def play_episode(recorder: Recorder, seed: int, act: Act, policy: str, noise: float = 0.0) -> Episode:
    """Play the episode of `seed` to its end and return it."""
    observation = recorder.begin(seed, policy, noise)
    while True:
        observation, _, terminated, truncated = recorder.step(act(observation))
        if terminated or truncated:
            return recorder.episode()


def random_episodes(recorder: Recorder, first_seed: int) -> Iterator[Episode]:
    """Yield episodes by uniformly random actions without end; each follows from its seed alone."""
    task = recorder.task
    for seed in count(first_seed):
        rng = np.random.default_rng([seed, 1])

        def act(observation: Array, rng: np.random.Generator = rng) -> Any:
            discrete = task.action_kind == "discrete"
            return rng.integers(task.actions) if discrete else rng.uniform(-1.0, 1.0, task.actions)

        yield play_episode(recorder, seed, act, RANDOM)


def enough(episodes: Iterator[Episode], transitions: int) -> Iterator[Episode]:
    """Yield whole episodes until they hold at least so many transitions."""
    total = 0
    while total < transitions:
        episode = next(episodes, None)
        if episode is None:
            return
        total += len(episode.rewards)
        yield episode
