"""The methods by name: what they are, which tasks they fit and what learns them. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lamo_core.config import MethodName, RunConfig
from lamo_core.errors import UsageError
from lamo_core.wording import counted

ActionKind = Literal["discrete", "continuous"]


@dataclass(frozen=True)
class Learned:
    """What learns a memoryless method, for one kind of actions."""

    policy: str
    """Module in `lamo_core.baselines` and class in it."""
    reads: str = ""
    """Settings of `value` that it reads and not every method that learns values does."""


@dataclass(frozen=True)
class Method:
    """What `--method` names."""

    name: MethodName
    title: str
    policies: Mapping[ActionKind, Learned] = field(default_factory=dict)
    """By kinds of actions; none for a sequence policy on a trunk, which takes both."""
    values: bool = False
    """Whether it learns values, so that it may choose other actions than the data's."""

    @property
    def memory(self) -> bool:
        """Whether it is a sequence policy on a trunk; without memory it decides from the newest observation."""
        return not self.policies

    @property
    def actions(self) -> tuple[ActionKind, ...]:
        """Kinds of actions that it chooses."""
        return tuple(self.policies) or ("discrete", "continuous")


def _both(learned: Learned) -> dict[ActionKind, Learned]:
    return {"discrete": learned, "continuous": learned}


def _quantiles(reads: str = "") -> Learned:
    return Learned("quantile_q:QuantileQ", f"quantiles epsilon {reads}")


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("lamo", "LaMo"),
        Method("dt", "Decision Transformer"),
        Method("dt-wide", "Decision Transformer, LaMo's size"),
        Method("wiki-rl", "Wiki-RL"),
        Method("bc", "behaviour cloning", _both(Learned("bc:BehaviourCloning"))),
        Method("filtered-bc", "filtered behaviour cloning", _both(Learned("bc:BehaviourCloning"))),
        Method(
            "cql",
            "CQL",
            {
                "discrete": _quantiles("conservative_weight"),
                "continuous": Learned("cql:ConservativeQ", "learning_rate conservative_weight log_std_offset"),
            },
            values=True,
        ),
        Method("iql", "IQL", _both(Learned("iql:ImplicitQ", "learning_rate expectile temperature")), values=True),
        Method(
            "td3+bc", "TD3+BC", {"continuous": Learned("td3_bc:Td3Bc", "learning_rate behaviour_weight")}, values=True
        ),
        Method(
            "bcq",
            "BCQ",
            {
                "discrete": _quantiles("flexibility"),
                "continuous": Learned("bcq:BatchConstrainedQ", "learning_rate perturbation"),
            },
            values=True,
        ),
        Method("nfq", "NFQ", {"discrete": _quantiles()}, values=True),
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
