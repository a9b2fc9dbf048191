"""Evaluation from Python: a policy's score in its own environment."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from lamo_core.api.acting import LoadedPolicy, load_policy
from lamo_core.api.training import Run
from lamo_core.config import ContextMode
from lamo_core.errors import DeviceError, UsageError
from lamo_core.evaluation.rollout_spec import Asked
from lamo_core.evaluation.scores import ActionMode

if TYPE_CHECKING:
    from lamo_core.evaluation.evaluate import Evaluation


def evaluate(
    source: LoadedPolicy | Run | str | PathLike[str],
    *,
    episodes: int = 20,
    targets: Sequence[float] | None = None,
    context: ContextMode | None = None,
    action: ActionMode | None = None,
    seed: int | None = None,
    device: str = "auto",
) -> Evaluation:
    """Play a policy in its task's environment and score it, as `lamo eval` does.

    Args:
        source: A policy of `load_policy`, or what that loads.
        episodes: How many for each target; episode i has the environment seed `seed` + i.
        targets: Returns to ask for; those that its data suggest if none are given.
        context: "sliding" or "chunked"; as in the run's evaluations if none is given.
        action: "sample" or "greedy"; likewise.
        seed: Of the first episode; likewise.
        device: Where a policy is loaded that is not loaded yet.

    Returns:
        `.scores`, one for each target with `.mean`, `.low`, `.high` (95 % interval), `.normalised` and `.returns`;
        `.episodes`, each with `.actions` (T,) or (T, A), `.rewards` (T,) and `.returns_to_go` (T,); and `.seconds`.

    Raises:
        UsageError: Fewer than one episode, or no such source.
        MissingError: The package that plays the task is not installed.
        DeviceError: The device is out of memory.
        Otherwise as `load_policy`.
    """
    if episodes < 1:
        raise UsageError(f"an evaluation plays at least one episode, not {episodes}")
    policy = source if isinstance(source, LoadedPolicy) else load_policy(source, device=device)
    import torch

    from lamo_core.evaluation.evaluate import evaluate as play

    asked = Asked(
        targets=tuple(policy.targets if targets is None else map(float, targets)),
        episodes=episodes,
        context=context or policy.context,
        action=action or policy.action,
        seed=policy.config.eval.seed if seed is None else seed,
        rewards=policy.config.paid,
        record=True,
    )
    try:
        return play(policy.actor, policy.config.task, asked)
    except torch.OutOfMemoryError as error:
        raise DeviceError("the device is out of memory; play fewer episodes, or load the policy on the CPU") from error
