"""Reacher2d episodes by analytic inverse kinematics and a noisy proportional-derivative controller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.collect.recorded_vectors import EpisodeBuilder, VectorEpisode
from lamo_core.tasks.reacher2d import HORIZON, make_reacher2d

Floats = NDArray[np.float64]

UPPER, FOREARM = 0.6, 0.45
"""Lengths in metres, the forearm's up to the fingertip."""
FRAME_TURN = 0.785
"""The frames of both links are turned by this, one against the other."""
_VELOCITY_SCALE = 0.15


@dataclass(frozen=True)
class Gains:
    """How stiff and how shaky the controller is."""

    stiffness: float
    damping: float
    noise: float
    """Standard deviation of the noise on each torque."""


def joint_targets(target: Floats) -> Floats:
    """Return both joint angles (2,) that put the fingertip on `target` (2,), elbow to the left."""
    distance = float(target @ target)
    cosine = (distance - UPPER**2 - FOREARM**2) / (2 * UPPER * FOREARM)
    bend = np.arccos(np.clip(cosine, -1.0, 1.0))
    inner = np.arctan2(FOREARM * np.sin(bend), UPPER + FOREARM * np.cos(bend))
    shoulder = np.arctan2(target[1], target[0]) - inner
    return np.array([shoulder - FRAME_TURN, bend + FRAME_TURN])


def torques(observation: Floats, gains: Gains) -> Floats:
    """Return the noiseless torques (2,) for an observation (12,), before they are clipped."""
    angles = np.arctan2(observation[0:2], observation[2:4])
    error = joint_targets(observation[8:10]) - angles
    # The shoulder turns freely and takes the short way; the elbow has limits and must not.
    error[0] = (error[0] + np.pi) % (2 * np.pi) - np.pi
    return gains.stiffness * error - gains.damping * observation[4:6] / _VELOCITY_SCALE


def draw_gains(mixed: bool, rng: np.random.Generator) -> Gains:
    """Return the gains of an episode: those of the medium set, or the wider ones of the mixed set."""
    stiffness = float(np.exp(rng.uniform(np.log(0.3 if mixed else 1.0), np.log(4.0))))
    noise = float(rng.uniform(0.3, 2.5) if mixed else rng.uniform(0.6, 1.6))
    return Gains(stiffness, 0.4 * stiffness + 0.1, noise)


class Reacher2dPlayer:
    """Plays one episode per seed."""

    def __init__(self, mixed: bool) -> None:
        self._mixed = mixed
        self._environment = make_reacher2d()

    def play(self, seed: int) -> VectorEpisode:
        """Return the episode of `seed`, always `HORIZON` steps long."""
        rng = np.random.default_rng([seed, 1])
        gains = draw_gains(self._mixed, rng)
        observation, _ = self._environment.reset(seed=seed)
        builder = EpisodeBuilder(seed, "inverse kinematics", gains.noise, observation)
        for _ in range(HORIZON):
            exact = torques(observation, gains) + gains.noise * rng.standard_normal(2)
            action = np.clip(exact, -1.0, 1.0).astype(np.float32)
            observation, reward, _, _, _ = self._environment.step(action.astype(np.float64))
            builder.add(action, observation, float(reward))
        return builder.finish(terminated=False)

    def keeps(self, episode: VectorEpisode) -> bool:
        """Return whether the set takes the episode: the medium set those with a return above 20, as the paper's."""
        return self._mixed or episode.ret > 20
