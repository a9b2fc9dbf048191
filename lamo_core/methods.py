"""The methods by name: what they are and which tasks they fit. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from lamo_core.config import MethodName, RunConfig
from lamo_core.errors import UsageError

ActionKind = Literal["discrete", "continuous"]


@dataclass(frozen=True)
class Method:
    """What `--method` names."""

    name: MethodName
    title: str
    memory: bool
    """Whether it is a sequence policy on a trunk; without memory it decides from the newest observation."""
    actions: tuple[ActionKind, ...] = ("discrete", "continuous")


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("lamo", "LaMo", memory=True),
        Method("dt", "Decision Transformer", memory=True),
        Method("dt-wide", "Decision Transformer, LaMo's size", memory=True),
        Method("wiki-rl", "Wiki-RL", memory=True),
        Method("bc", "behaviour cloning", memory=False),
        Method("filtered-bc", "filtered behaviour cloning", memory=False),
        Method("cql", "CQL", memory=False),
        Method("iql", "IQL", memory=False),
        Method("td3+bc", "TD3+BC", memory=False, actions=("continuous",)),
        Method("bcq", "BCQ", memory=False),
        Method("nfq", "NFQ", memory=False, actions=("discrete",)),
    )
}


_WITHOUT_MEMORY = ("frames", "return_scale")
"""Settings of the model that methods without a trunk read, too."""


def require_fit(name: MethodName, actions: ActionKind) -> None:
    """Raise `UsageError` when a method cannot choose actions of a kind, naming those that can."""
    if actions not in METHODS[name].actions:
        fitting = ", ".join(method.name for method in METHODS.values() if actions in method.actions)
        raise UsageError(f"{name} does not fit tasks with {actions} actions; use one of {fitting}")


def idle_settings(config: RunConfig) -> tuple[str, ...]:
    """Return how the names of those settings begin that a config's method does not read on its task."""
    return (*_idle_in_method(config), *_idle_on_task(config))


def _idle_in_method(config: RunConfig) -> tuple[str, ...]:
    if not METHODS[config.method].memory:
        model = (field.name for field in fields(config.model) if field.name not in _WITHOUT_MEMORY)
        return ("language.", "alignment.", *(f"model.{name}" for name in model))
    return ("markov.",) if config.model.adapter == "lora" else ("markov.", "model.lora_")


def _idle_on_task(config: RunConfig) -> tuple[str, ...]:
    from lamo_core.tasks.registry import get_task

    task = get_task(config.task.name)
    frames = task.observation == "frames"
    found = ["data.state_scaling"] if frames else ["data.frame_shift", "model.frames"]
    if not frames or config.model.embedding == "linear":
        found.append("model.frame_layers")
    if task.action_kind == "continuous":
        found.append("model.logits")
    if config.data.rewards != "clipped":
        found.append("eval.subtract")
    return tuple(found)
