"""Episodes in the environment: all episodes of all targets side by side, finished ones taken out.

Shape suffixes: N episodes side by side, M of them still running, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
import torch
from torch import Tensor

from lamo_core.config import TaskConfig
from lamo_core.errors import EnvironmentFault, LamoError
from lamo_core.evaluation.context_agreement import ContextComparison
from lamo_core.evaluation.contexts import Actor, Context, make_context
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult, Wave
from lamo_core.tasks.door import ADVICE
from lamo_core.tasks.environment import Array, EnvBatch
from lamo_core.tasks.registry import make_batch

Progress = Callable[[int, int, int], None]
"""Called after every decision with episodes done, episodes in all and decisions made so far."""

_ABSURD = 1e10
"""Observations and returns beyond it are the reason why a policy's outputs are not finite."""
WAVE = 64
"""Most episodes side by side; more are played one wave after another to bound memory."""


class BrokenOff(EnvironmentFault):
    """An environment's fault in the middle of a roll-out, with the episodes that had come to their end before."""

    def __init__(self, fault: EnvironmentFault, whole: list[EpisodeResult]) -> None:
        super().__init__(str(fault))
        self.whole = whole


def rollout(
    policy: Actor,
    task_config: TaskConfig,
    asked: Asked,
    *,
    progress: Progress | None = None,
    comparison: ContextComparison | None = None,
    environments: Callable[[TaskConfig, int], EnvBatch] = make_batch,
) -> list[EpisodeResult]:
    """Play all that is asked for and return the episodes target by target.

    Actions are drawn from the policy's distribution (`sample`) or are its most likely ones (`greedy`);
    continuous actions are always the policy's means, clipped to [-1, 1]. The policy is left in the mode it
    was in. Whatever `progress` raises ends the roll-out cleanly, which is how a caller stops it. `comparison`
    watches the decisions of a second context mode along the way. Raises `BrokenOff`.
    """
    jobs = [(target, asked.seed + index) for target in asked.targets for index in range(asked.episodes)]
    results: list[EpisodeResult] = []
    steps = 0
    with _acting(policy):
        for start in range(0, len(jobs), WAVE):
            wave = Wave(asked, jobs[start : start + WAVE])
            try:
                with closing(environments(task_config, len(wave.seeds_N))) as batch:
                    for done in _play(policy, batch, wave, comparison):
                        if progress:
                            progress(len(results) + done, len(jobs), steps + int(wave.lengths_N.sum()))
            except EnvironmentFault as fault:
                raise BrokenOff(fault, results + wave.whole()) from fault
            steps += int(wave.lengths_N.sum())
            results += wave.results()
    return results


def _not_finite(observations_N: Array, earned_N: Array) -> LamoError:
    """Return the error for a policy whose outputs are not finite, and whose fault that is."""
    for what, numbers in (("observations are as large as", observations_N), ("rewards add up to", earned_N)):
        largest = float(np.abs(numbers.astype(np.float64)).max())
        if largest > _ABSURD:
            return EnvironmentFault(
                f"the environment's {what} {largest:.3g}, with which no policy can compute; {ADVICE}"
            )
    return LamoError("the policy's outputs are not finite numbers; use an earlier checkpoint of its run")


@contextmanager
def _acting(policy: Actor) -> Iterator[None]:
    training = policy.training
    policy.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        policy.train(training)


def _play(policy: Actor, batch: EnvBatch, wave: Wave, comparison: ContextComparison | None) -> Iterator[int]:
    """Play a wave to its end; yields the number of finished episodes after every decision."""
    device = next(policy.parameters()).device
    context: Context = make_context(wave.asked.context, policy)
    if comparison is not None:
        context = comparison.beside(context, policy)
    observations_N = batch.reset(wave.seeds_N)
    wave.noops_N = np.asarray(batch.noops(), dtype=np.int64).copy()
    running_M = np.arange(len(wave.seeds_N))
    previous: Tensor | None = None
    while running_M.size:
        asked_M = wave.returns_to_go(running_M)
        out_MA = context.decide(
            torch.from_numpy(np.ascontiguousarray(observations_N[running_M])).to(device),
            torch.from_numpy(asked_M / policy.return_scale).float().to(device),
            previous,
        )
        outputs_MA = out_MA.cpu().numpy()
        if not np.isfinite(outputs_MA).all():
            raise _not_finite(observations_N, wave.earned_N)
        actions_M = wave.choose(outputs_MA, running_M, discrete=policy.task.action_kind == "discrete")
        actions_N = np.zeros((len(wave.seeds_N), *actions_M.shape[1:]), actions_M.dtype)
        actions_N[running_M] = actions_M
        observations_N, rewards_N, terminated_N, truncated_N = batch.step(actions_N)
        over_N = wave.add(running_M, actions_N, rewards_N, terminated_N, truncated_N)
        rows = np.flatnonzero(~over_N[running_M])
        if rows.size < running_M.size:
            running_M, actions_M = running_M[rows], actions_M[rows]
            if rows.size:
                context.keep(torch.from_numpy(rows).to(device))
        previous = torch.from_numpy(actions_M).to(device)
        yield len(over_N) - running_M.size
