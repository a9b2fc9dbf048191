"""Untrained policies of memoryless methods, made from a config."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.config import RunConfig
from lamo_core.methods import METHODS, require_fit
from lamo_core.model.embeddings import PixelStatistics
from lamo_core.model.policy import PolicyStatistics
from lamo_core.tasks.registry import task_of


def make_markov_policy(
    config: RunConfig, statistics: PolicyStatistics, pixels: PixelStatistics | None = None
) -> MarkovPolicy:
    """Return an untrained policy of the config's method; raises `UsageError` when it does not fit the task.

    `pixels` centres frames, as `FrameEmbedding.centre` says.
    """
    task = task_of(config.task)
    require_fit(config.method, task.action_kind)
    module, _, name = METHODS[config.method].policies[task.action_kind].policy.partition(":")
    policy: Callable[..., MarkovPolicy] = getattr(import_module(f"lamo_core.baselines.{module}"), name)
    return policy(task, config, statistics, pixels)
