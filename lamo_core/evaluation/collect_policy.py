"""Episodes of a trained policy, recorded as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from lamo_core.config import RunConfig
from lamo_core.data.collect.recorders import Episode, Recorder
from lamo_core.errors import EnvironmentFault
from lamo_core.evaluation.rollout import BrokenOff, rollout
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult

if TYPE_CHECKING:
    from lamo_core.baselines.policy import MarkovPolicy
    from lamo_core.model.policy import Policy

_SIDE_BY_SIDE = 8


def policy_episodes(
    policy: Policy | MarkovPolicy,
    config: RunConfig,
    targets: Sequence[float],
    recorder: Recorder,
    first_seed: int,
) -> Iterator[Episode]:
    """Yield episodes of a policy without end, as evaluations play them, asking for one target after the other.

    The policy decides for several episodes at once; each is then played again in the recorder. Raises
    `EnvironmentFault`, also when one does not come back, after the episodes that are whole.
    """
    for turn in count():
        target = targets[turn % len(targets)]
        asked = replace(Asked.by(config, (target,), _SIDE_BY_SIDE), seed=first_seed + turn * _SIDE_BY_SIDE)
        fault = None
        try:
            played = rollout(policy, config.task, asked)
        except BrokenOff as broken:
            played, fault = broken.whole, broken
        for result in played:
            yield _recorded(result, recorder, f"{config.method} asked for {target:g}")
        if fault is not None:
            raise fault


def _recorded(result: EpisodeResult, recorder: Recorder, label: str) -> Episode:
    recorder.begin(result.seed, label)
    for action in result.actions:
        recorder.step(action)
    episode = recorder.episode()
    if not np.allclose(episode.rewards, result.rewards, rtol=1e-5, atol=1e-6):
        raise EnvironmentFault(
            f"the episode of seed {result.seed} did not come back as it was played; the environment has random numbers "
            "that do not follow from its seed, so it cannot be recorded this way"
        )
    return episode
