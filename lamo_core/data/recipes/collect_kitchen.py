"""Kitchen episodes by the scripted controller: all four subtasks, or any of them in varied orders and manners."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.collect.recorded_vectors import EpisodeBuilder, VectorEpisode
from lamo_core.data.recipes.kitchen_script import Manner, Script
from lamo_core.tasks.kitchen import HORIZON, SUBTASKS, make_kitchen

NOISE = {"complete": (0.2, 0.6), "partial": (0.2, 0.8)}
"""Least and largest standard deviation of the pushes on actions."""
JITTER = 0.025
"""Largest standard deviation of what aims are off by, in metres."""
SPEEDS = (0.8, 1.2)
"""Least and largest factor on speeds in the air."""
THOROUGHNESS = (0.2, 1.0)
"""Least and most that things go on beyond where they are solved, from 0 to 1. When all doors stood open equally wide,
imitators did not know what to do beside one that was less open."""
DETOUR = np.array([0.1, 0.08, 0.1])
"""Farthest that the hand goes first, in metres either way; `_STRAIGHT` is the chance that it does not."""
_STRAIGHT = 0.6
_SUBTASK_COUNTS = (0.35, 0.3, 0.2, 0.15)
"""Chances of 1, 2, 3 and 4 subtasks in an episode of the partial set."""
_USUAL_ORDER = 0.5
"""Chance that the subtasks of the partial set keep their usual order."""
_GIVEN_UP = 0.3
"""Chance that an episode of the partial set gives up its last subtask."""
_PATIENCE = (10, 30)
"""Least and most steps after which it does."""


def draw_manner(kind: str, rng: np.random.Generator) -> Manner:
    """Return what an episode of `complete` or `partial` data does and how."""
    subtasks: tuple[str, ...] = SUBTASKS
    patience = 0
    if kind == "partial":
        chosen = rng.permutation(len(SUBTASKS))[: int(rng.choice(len(SUBTASKS), p=_SUBTASK_COUNTS)) + 1]
        if rng.random() < _USUAL_ORDER:
            chosen = np.sort(chosen)
        subtasks = tuple(SUBTASKS[index] for index in chosen)
        patience = int(rng.integers(_PATIENCE[0], _PATIENCE[1] + 1)) if rng.random() < _GIVEN_UP else 0
    detour = np.zeros(3) if rng.random() < _STRAIGHT else rng.uniform(-DETOUR, DETOUR)
    return Manner(
        subtasks,
        noise=float(rng.uniform(*NOISE[kind])),
        jitter=float(rng.uniform(0.0, JITTER)),
        speed=float(rng.uniform(*SPEEDS)),
        thoroughness=float(rng.uniform(*THOROUGHNESS)),
        detour=(float(detour[0]), float(detour[1]), float(detour[2])),
        patience=patience,
    )


def observation_resolution() -> NDArray[np.float64]:
    """Return the powers of two (59,) that observations are rounded to: half the amplitude of each one's sensor noise.

    The lower bits are noise, which does not compress; without them a set takes a third of the room.
    """
    environment: Any = make_kitchen().unwrapped
    robot = environment.robot_env
    amplitudes = np.concatenate(
        [
            robot.robot_noise_ratio * robot.robot_pos_noise_amp[:9],
            robot.robot_noise_ratio * robot.robot_vel_noise_amp[:9],
            # The environment itself starts one too early here.
            environment.object_noise_ratio * robot.robot_pos_noise_amp[8:],
            environment.object_noise_ratio * robot.robot_vel_noise_amp[9:],
        ]
    )
    return np.asarray(2.0 ** np.floor(np.log2(amplitudes / 2)))


class KitchenPlayer:
    """Plays one kitchen episode per seed."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._environment: Any = make_kitchen()

    def play(self, seed: int) -> VectorEpisode:
        """Return the episode of `seed`; it ends with the script, at four solved subtasks or at the time limit."""
        rng = np.random.default_rng([seed, 1])
        manner = draw_manner(self._kind, rng)
        observation, info = self._environment.reset(seed=seed)
        simulator = self._environment.unwrapped
        script = Script(simulator.model, simulator.data, manner, rng)
        builder = EpisodeBuilder(seed, "script: " + ", ".join(manner.subtasks), manner.noise, observation)
        terminated = False
        while not terminated and len(builder) < HORIZON:
            action = script.next_action(info["episode_task_completions"])
            if action is None:
                break
            observation, reward, terminated, _, info = self._environment.step(action.astype(np.float64))
            builder.add(action, observation, float(reward))
        return builder.finish(bool(terminated))

    def keeps(self, episode: VectorEpisode) -> bool:
        """Return whether the set takes the episode: the complete set only those that solve all four subtasks."""
        return self._kind == "partial" or episode.ret == len(SUBTASKS)
