"""Settings without an effect: those that a run's method, task or other settings do not read. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lamo_core.config import RunConfig
from lamo_core.methods import METHODS

if TYPE_CHECKING:
    from lamo_core.tasks.task import Task


@dataclass(frozen=True)
class _Run:
    """What decides which settings are read."""

    config: RunConfig
    task: Task
    has_versions: bool
    """Whether there are several versions of the task's environment."""

    @property
    def memory(self) -> bool:
        """Whether it is a sequence policy on a trunk."""
        return METHODS[self.config.method].memory

    @property
    def discrete(self) -> bool:
        return self.task.action_kind == "discrete"

    @property
    def frames(self) -> bool:
        return self.task.observation == "frames"

    @property
    def q_term(self) -> bool:
        return self.memory and self.config.model.q_weight > 0

    @property
    def words(self) -> bool:
        """Whether it has a language loss."""
        return self.memory and self.config.language.weight > 0

    @property
    def told(self) -> bool:
        """Whether the policy is told returns."""
        return self.memory and self.config.model.return_to_go != "none"

    @property
    def asked(self) -> bool:
        """Whether it is asked for returns that were chosen before, and not for the largest that it has learned of."""
        return self.told and self.config.eval.target_rule == "quantile"

    @property
    def head(self) -> bool:
        """Whether actions are read by a head of its own."""
        return self.memory and self.config.model.action_tokens == "own"

    @property
    def learns_values(self) -> bool:
        return METHODS[self.config.method].values

    def learns_by(self, name: str) -> bool:
        """Whether its method reads a setting of `value` that not every one reads."""
        learned = METHODS[self.config.method].policies.get(self.task.action_kind)
        return learned is not None and name in learned.reads.split()


_OF_METHODS = [
    "learning_rate",
    "quantiles",
    "epsilon",
    "conservative_weight",
    "log_std_offset",
    "temperature",
    "behaviour_weight",
    "flexibility",
    "perturbation",
]
"""Settings of `value` that methods read alone, each as its `reads` says."""
_READ: tuple[tuple[str, Callable[[_Run], bool]], ...] = (
    ("task.sticky_actions task.noop_max", lambda run: run.config.task.name.startswith("atari-")),
    ("task.version", lambda run: run.has_versions),
    ("data.kitchen_rewards", lambda run: run.config.task.name.startswith("kitchen-")),
    ("data.frame_shift data.memory_gb model.frames", lambda run: run.frames),
    ("model.frame_layers", lambda run: run.frames and run.memory and run.config.model.embedding == "mlp"),
    ("data.state_scaling", lambda run: not run.frames),
    ("data.windows precision optim.micro_batch_size optim.dropout_stops_at_first_eval", lambda run: run.memory),
    ("optim.final_rate", lambda run: run.config.optim.schedule not in ("constant", "policy-cosine", "official-atari")),
    ("optim.warmup_steps", lambda run: run.config.optim.schedule != "official-atari"),
    (
        "optim.adapter_learning_rate",
        lambda run: run.memory and (run.config.model.adapter, run.config.model.attention_mixing) != ("frozen", "none"),
    ),
    (
        "model.backbone model.adapter model.attention_mixing model.embedding model.context model.dropout "
        "model.attention_dropout model.embedding_dropout model.timestep model.trunk_positions model.action_tokens "
        "model.return_to_go model.return_tokens model.q_weight language.weight alignment.weight eval.context",
        lambda run: run.memory,
    ),
    (
        "model.lora_rank model.lora_alpha model.lora_dropout model.lora_targets model.lora_projections model.lora_bias",
        lambda run: run.memory and run.config.model.adapter == "lora",
    ),
    ("model.head", lambda run: run.head and run.config.model.embedding == "mlp"),
    ("model.logits", lambda run: run.head and run.discrete),
    ("model.timestep_std", lambda run: run.memory and run.config.model.timestep != "none"),
    ("model.action_dropout", lambda run: run.memory and run.config.model.context > 1),
    ("model.return_scale", lambda run: run.told or run.q_term),
    ("model.maximum_expectile", lambda run: run.told and not run.asked),
    ("language.source language.batch_size language.block_size", lambda run: run.words),
    ("language.blocks", lambda run: run.words and run.config.language.source == "self"),
    ("alignment.clusters alignment.steps", lambda run: run.memory and run.config.alignment.weight > 0),
    ("markov.width markov.filter", lambda run: not run.memory),
    ("markov.layers", lambda run: not run.memory and not run.frames),
    ("markov.share markov.least_episodes", lambda run: not run.memory and run.config.markov.filter == "top"),
    ("value.rewards", lambda run: run.learns_values),
    ("value.discount value.target_rate value.target_every", lambda run: run.learns_values or run.q_term),
    *((f"value.{name}", partial(_Run.learns_by, name=name)) for name in _OF_METHODS),
    ("value.expectile", lambda run: run.learns_by("expectile") or run.q_term),
    ("eval.target_rule", lambda run: run.told),
    ("eval.targets", lambda run: run.asked),
    ("eval.target_quantiles", lambda run: run.asked and not run.config.eval.targets),
    ("eval.subtract", lambda run: run.asked and run.config.data.rewards == "clipped"),
    ("eval.action", lambda run: run.discrete),
    # values improve on the data's actions, so a loss on these does not tell when to stop
    ("checkpoint.best", lambda run: not run.learns_values),
    ("data.subset data.ratio_rounding eval.unseen_episodes", lambda run: run.config.data.ratio < 1),
)
"""Settings, and whether a run reads them; those that are not here every run does."""


def idle_settings(config: RunConfig) -> frozenset[str]:
    """Return the dotted names of the settings that change nothing in a run; raises `LamoError` for an unknown task."""
    from lamo_core.tasks.registry import get_task, versioned

    name = config.task.name
    run = _Run(config, get_task(name), versioned(name, "v5") != name)
    return frozenset(setting for names, is_read in _READ if not is_read(run) for setting in names.split())
