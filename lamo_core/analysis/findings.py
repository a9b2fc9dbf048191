"""Findings of an analysis: every part of it, measured on one checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch

from lamo_core.analysis.attention import HeadChange, head_changes, head_masses, uniform_masses
from lamo_core.analysis.forgetting import LanguageLoss, kept_checkpoints, language_losses
from lamo_core.analysis.movement import Movement, movements
from lamo_core.analysis.parts import Reliance
from lamo_core.analysis.reliance import reliances
from lamo_core.analysis.start import initial_policy
from lamo_core.analysis.target_sweep import Asking, ask
from lamo_core.analysis.trunk import TrunkMeasure, measure_trunk
from lamo_core.data.open_data import open_data
from lamo_core.data.windows import WindowBatch, WindowSampler
from lamo_core.errors import EnvironmentFault, LamoError, MissingError, UsageError
from lamo_core.evaluation.contexts import Actor
from lamo_core.evaluation.intervals import without_points
from lamo_core.methods import METHODS
from lamo_core.model.policy import Policy
from lamo_core.training.checkpoint import build_policy, read_checkpoint
from lamo_core.training.streams import numpy_stream

Progress = Callable[[str, int, int], None]
"""Takes the name of a stage, how much of it is done, and how much there is in all."""


@dataclass
class Findings:
    """What was found out; None for what a policy does not have or nobody asked for."""

    movement: list[Movement] | None = None
    attention: list[HeadChange] | None = None
    uniform: tuple[float, float] | None = None
    """The masses of a head that attends to everything alike: on the newest token, on the newest step."""
    reliance: list[Reliance] | None = None
    forgetting: list[LanguageLoss] | None = None
    asked: Asking | None = None
    trunk: tuple[TrunkMeasure, ...] | None = None
    """Before and after training; one of a language model."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, None for parts that were not measured."""
        attention = None
        if self.attention is not None and self.uniform is not None:
            token, step = self.uniform
            attention = {"uniform_token": token, "uniform_step": step, "heads": _rows(self.attention)}
        return {
            "movement": _rows(self.movement),
            "attention": attention,
            "reliance": None if self.reliance is None else without_points(_rows(self.reliance)),
            "forgetting": _rows(self.forgetting),
            "asked": None if self.asked is None else _sweep(self.asked),
            "trunk": None if self.trunk is None else [measure.to_dict() for measure in self.trunk],
        }


def _rows(found: Any) -> list[dict[str, Any]] | None:
    return None if found is None else [asdict(row) for row in found]


def _sweep(asked: Asking) -> dict[str, Any]:
    return {
        "data_low": asked.data_low,
        "data_high": asked.data_high,
        "rank_correlation": asked.rank_correlation,
        "scores": [score.to_dict() for score in asked.scores],
    }


class Analysis:
    """Measures parts of an analysis on one checkpoint. The policy and windows of its data are made when first needed.

    `windows` of data are what attention and reliance are measured on; `text` replaces the language model's own for
    forgetting. Raises `CheckpointError` when the file cannot be read.
    """

    def __init__(self, path: Path, *, windows: int = 256, text: Path | None = None, progress: Progress) -> None:
        self.path, self.read = path, read_checkpoint(path)
        self.found = Findings()
        self._windows, self._text, self._progress = windows, text, progress

    def measure_all(self, parts: Iterable[str], *, targets: int, episodes: int, strict: bool) -> dict[str, LamoError]:
        """Measure parts into `found` and return why some were left out.

        With `strict` such a reason is raised, but for a fault of the environment where there are other parts to tell.
        """
        wanted, left_out = list(parts), dict[str, LamoError]()
        for part in wanted:
            try:
                self.measure(part, targets=targets, episodes=episodes)
            except (MissingError, UsageError, EnvironmentFault) as error:
                if strict and not (isinstance(error, EnvironmentFault) and len(wanted) > 1):
                    raise
                left_out[part] = error
        return left_out

    def measure(self, part: str, *, targets: int, episodes: int) -> None:
        """Measure one of `PARTS` into `found`; the target sweep asks for `targets` returns, `episodes` each.

        Raises `UsageError` for a part that this policy does not have, `MissingError` without its data or model.
        """
        if part == "movement":
            self.found.movement = movements(self.policy, initial_policy(self.read))
        elif part == "trunk":
            self._need_memory("output to look at")
            policies = (cast(Policy, initial_policy(self.read)), cast(Policy, self.policy))
            self.found.trunk = tuple(measure_trunk(policy.backbone) for policy in policies)
        elif part == "attention":
            self.found.attention, self.found.uniform = self._attention()
        elif part == "reliance":
            self._need_memory("earlier steps to rely on")
            self.found.reliance = reliances(self.policy, self.batch)
        elif part == "forgetting":
            self._need_memory("language to forget")
            self.found.forgetting = language_losses(kept_checkpoints(self.path), self._text)
        else:
            self.found.asked = self._sweep_targets(targets, episodes)

    @cached_property
    def policy(self) -> Any:
        """The policy in evaluation mode, on the processor."""
        policy, _ = build_policy(self.read, torch.device("cpu"))
        return policy.eval()

    @cached_property
    def batch(self) -> WindowBatch:
        """Windows of the data trained on, the same every time."""
        config = self.read.config
        store = open_data(config.data, config.task, config.seed, self._progress)
        sampler = WindowSampler(
            store,
            context=config.model.context,
            return_to_go=config.model.return_to_go,
            rewards=config.data.rewards,
            return_scale=self.read.statistics.return_scale,
            frame_shift=0,
            generator=numpy_stream(config.seed, "analysis"),
            values=config.model.q_weight > 0,
        )
        return sampler.sample(self._windows)

    def _need_memory(self, what: str) -> None:
        if not METHODS[self.read.config.method].memory:
            raise UsageError(f"{self.read.config.method} has no trunk, so it has no {what}")

    def _attention(self) -> tuple[list[HeadChange], tuple[float, float]]:
        self._need_memory("attention")
        policies = (cast(Policy, initial_policy(self.read)), self.policy)
        masses = [head_masses(policy, self.batch) for policy in policies]
        if not masses[0]:
            raise UsageError(f"the attention of {self.read.backbone_name} cannot be measured")
        return head_changes(*masses), uniform_masses(self.batch, policies[0].state_places)

    def _sweep_targets(self, targets: int, episodes: int) -> Asking:
        policy: Actor = self.policy
        if not policy.follows_targets:
            raise UsageError(f"{self.read.config.method} is told no return, so it cannot be asked for one")
        return ask(
            policy,
            self.read.config,
            self.read.data,
            targets,
            episodes,
            progress=lambda done, total, steps: self._progress("playing", done, total),
        )
