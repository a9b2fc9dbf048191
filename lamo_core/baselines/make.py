"""Which class trains which memoryless method."""

from __future__ import annotations

from lamo_core.baselines.bc import BehaviourCloning
from lamo_core.baselines.bcq import BatchConstrainedQ
from lamo_core.baselines.cql import ConservativeQ
from lamo_core.baselines.iql import ImplicitQ
from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.baselines.quantile_q import QuantileQ
from lamo_core.baselines.td3_bc import Td3Bc
from lamo_core.config import RunConfig
from lamo_core.methods import require_fit
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
    if config.method in ("bc", "filtered-bc"):
        return BehaviourCloning(task, config, statistics, pixels)
    if config.method == "iql":
        return ImplicitQ(task, config, statistics, pixels)
    if config.method == "td3+bc":
        return Td3Bc(task, config, statistics, pixels)
    if task.action_kind == "discrete":
        return QuantileQ(task, config, statistics, pixels)
    continuous = {"cql": ConservativeQ, "bcq": BatchConstrainedQ}
    return continuous[config.method](task, config, statistics, pixels)
