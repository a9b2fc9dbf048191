"""The methods by name: what they are and which tasks they fit. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lamo_core.config import MethodName, RunConfig
from lamo_core.errors import UsageError
from lamo_core.wording import counted

ActionKind = Literal["discrete", "continuous"]


@dataclass(frozen=True)
class Method:
    """What `--method` names."""

    name: MethodName
    title: str
    memory: bool
    """Whether it is a sequence policy on a trunk; without memory it decides from the newest observation."""
    actions: tuple[ActionKind, ...] = ("discrete", "continuous")
    values: bool = False
    """Whether it learns values, so that it may choose other actions than the data's."""


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("lamo", "LaMo", memory=True),
        Method("dt", "Decision Transformer", memory=True),
        Method("dt-wide", "Decision Transformer, LaMo's size", memory=True),
        Method("wiki-rl", "Wiki-RL", memory=True),
        Method("bc", "behaviour cloning", memory=False),
        Method("filtered-bc", "filtered behaviour cloning", memory=False),
        Method("cql", "CQL", memory=False, values=True),
        Method("iql", "IQL", memory=False, values=True),
        Method("td3+bc", "TD3+BC", memory=False, actions=("continuous",), values=True),
        Method("bcq", "BCQ", memory=False, values=True),
        Method("nfq", "NFQ", memory=False, actions=("discrete",), values=True),
    )
}


def require_targets(config: RunConfig) -> None:
    """Raise `UsageError` for a run whose target network is never copied before its last step: it learns towards a
    random network alone."""
    every, steps = config.value.target_every, config.optim.steps
    learns = METHODS[config.method].values or (METHODS[config.method].memory and config.model.q_weight > 0)
    if learns and 1 < every >= steps:
        raise UsageError(
            f"{config.method} copies its target network every {counted(every, 'step')} and has {steps:,}, so it never "
            "learns from a copy; raise optim.steps or lower value.target_every"
        )


def require_fit(name: MethodName, actions: ActionKind) -> None:
    """Raise `UsageError` when a method cannot choose actions of a kind, naming those that can."""
    if actions not in METHODS[name].actions:
        fitting = ", ".join(method.name for method in METHODS.values() if actions in method.actions)
        raise UsageError(f"{name} does not fit tasks with {actions} actions; use one of {fitting}")
