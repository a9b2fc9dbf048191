"""What a run will cost in time, disk and memory, told by former runs like it; guesses are called so."""

from __future__ import annotations

import functools
import math
import os
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.methods import METHODS
from lamo_core.model.sizing.shape import TrunkShape, trunk_shape
from lamo_core.runs.compare import flatten
from lamo_core.runs.evaluations import history
from lamo_core.runs.index import RunSummary
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import number
from lamo_core.settings.backbone_name import parse_backbone
from lamo_core.settings.presets import budget_minutes, resolve
from lamo_core.training.micro_batches import micro_batch_size

_SPEED = (
    "task.name",
    "method",
    "model.backbone",
    "model.adapter",
    "model.embedding",
    "model.context",
    "language.weight",
    "optim.batch_size",
    "optim.micro_batch_size",
)
"""Settings that decide how long a step takes."""
_EVALUATION = ("eval.every", "eval.episodes", "eval.final_episodes")
_LEAST_STEPS, _LEAST_SECONDS = 20, 20.0
"""Of training, for a run to tell anything: the first steps and a loaded machine's hiccups would decide it otherwise."""
_SEVERAL = 5
"""Newest runs whose median counts."""

_BYTES_PER_WEIGHT = 12
"""A checkpoint holds each trained weight and AdamW's two moments, four bytes each."""
_BYTES_PER_STEP = 500
"""Of the log."""


@dataclass(frozen=True)
class Estimate:
    """How long a run will take, and from which runs that is known."""

    seconds: float
    """Of training and evaluating; to load libraries and to prepare data comes on top, once."""
    runs: tuple[RunSummary, ...]
    """Newest first."""
    evaluations_known: bool = True
    """Whether the time of the evaluations is in it; else no run like it was evaluated."""

    @property
    def run(self) -> RunSummary:
        """The newest of the runs."""
        return self.runs[0]


def estimate(config: RunConfig, runs: Iterable[RunSummary]) -> Estimate | None:
    """Return the time that former runs, newest first, with steps of the same kind let expect; None without one.

    The median of the newest few counts, and none that was too short to tell.
    """
    wanted = flatten(config.to_dict())
    alike = [run for run in runs if _alike(run, wanted) and _tells(run)][:_SEVERAL]
    if not alike:
        return None
    training = statistics.median(config.optim.steps / _rate(run) for run in alike)
    episodes = _episodes(wanted) * _targets(config)
    each = [seconds for run in alike if (seconds := _seconds_per_episode(run)) is not None] if episodes else [0.0]
    evaluating = episodes * statistics.median(each) if each else 0.0
    return Estimate(training + evaluating, tuple(alike), bool(each))


def sized_for(preset: str, config: RunConfig) -> float | None:
    """Return the seconds that a preset is sized for, for as many steps as are asked; None for other work than its."""
    minutes, plain = budget_minutes(preset), resolve(preset).config
    same = (config.method, parse_backbone(config.model.backbone).plain, config.optim.batch_size, config.model.context)
    its = (plain.method, parse_backbone(plain.model.backbone).plain, plain.optim.batch_size, plain.model.context)
    if minutes is None or same != its:
        return None
    return 60 * minutes * config.optim.steps / plain.optim.steps


def disk_bytes(config: RunConfig, runs: Iterable[RunSummary]) -> int | None:
    """Return what a run's folder will take: as a finished run like it, else a guess from its model's size; None where
    that is not known."""
    wanted = flatten(config.to_dict())
    kept = ("model.lora_rank", "model.lora_targets")
    for run in runs:
        same = all(run.settings.get(name) == wanted.get(name) for name in kept)
        same = same and _checkpoints(run.settings) == _checkpoints(wanted)
        if run.state == "finished" and same and _alike(run, wanted):
            more = config.optim.steps - run.status.step
            return max(0, folder_bytes(run.run.path) + _BYTES_PER_STEP * more)
    weights = trained_weights(config)
    if weights is None:
        return None
    # the best checkpoint is kept without its moments; the log of steps is small beside them
    # all but the newest hold weights alone, a third, and so does the best one
    return round(_BYTES_PER_WEIGHT * weights * (1 + _checkpoints(wanted) / 3)) + _BYTES_PER_STEP * config.optim.steps


def memory_bytes(config: RunConfig) -> int | None:
    """Return a guess, on the safe side, of the device memory that a run needs; None where the shape of its model is
    not known."""
    weights, shape = trained_weights(config), trunk_shape(config.model.backbone)
    if weights is None:
        return None
    room = (1 << 30) + 16 * weights
    if not METHODS[config.method].memory:
        frames = 4 * 84 * 84 + 22_000 if config.task.name.startswith("atari-") else 0
        return room + 4 * 8 * config.optim.batch_size * (frames + config.markov.layers * config.markov.width)
    assert shape is not None  # or its weights would not be known
    device = "cpu" if config.device == "cpu" else "cuda"  # which takes more at once
    tokens = micro_batch_size(config, shape.width, device) * config.model.step_tokens * config.model.context
    return room + 4 * (shape.weights + shape.words) + 4 * tokens * shape.layers * shape.width * 40


def trained_weights(config: RunConfig) -> int | None:
    """Return about how many weights a run trains: embeddings, head, and what is trained of the trunk; None where the
    shape of the trunk is not known."""
    atari = config.task.name.startswith("atari-")
    if not METHODS[config.method].memory:
        # a policy and two critics, each with a network for frames of its own
        nets = 1 if config.method in ("bc", "filtered-bc") else 3
        frames = 64 * 49 * config.markov.width + 80_000 if atari else 0
        return nets * (config.markov.layers * config.markov.width**2 + frames)
    shape = trunk_shape(config.model.backbone)
    if shape is None:
        return None
    embeddings = (6 if config.model.embedding == "mlp" else 3) * shape.width**2
    frames = 64 * 49 * shape.width + 80_000 if atari else 0
    return embeddings + frames + _trained_of_trunk(config, shape)


def _trained_of_trunk(config: RunConfig, shape: TrunkShape) -> int:
    model = config.model
    if model.adapter == "lora":
        return shape.adapter_weights(model.lora_rank, model.lora_targets, model.lora_projections)
    return shape.weights if model.adapter == "full" else 0


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder; a file with two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                stat = os.stat(os.path.join(path, name), follow_symlinks=False)
            except OSError:  # it went away meanwhile
                continue
            seen[stat.st_dev, stat.st_ino] = stat.st_size
    return sum(seen.values())


def _alike(run: RunSummary, wanted: Mapping[str, Any]) -> bool:
    device = str(wanted["device"])
    same_device = device == "auto" or run.status.device.startswith(device)
    here = run.status.host in ("", this_host())
    same = all(_speed_of(run.settings, name) == _speed_of(wanted, name) for name in _SPEED)
    return bool(run.status.rate) and same_device and here and same


def _speed_of(settings: Mapping[str, Any], name: str) -> Any:
    """Return a setting as far as it decides the time of a step: drawn weights take as long as trained ones."""
    value = settings.get(name)
    return parse_backbone(value).plain if name == "model.backbone" and isinstance(value, str) else value


def _tells(run: RunSummary) -> bool:
    """Return whether a run has trained for long enough to tell how fast it is."""
    steps = run.status.step
    return steps >= _LEAST_STEPS and steps / _rate(run) >= _LEAST_SECONDS


def _rate(run: RunSummary) -> float:
    assert run.status.rate  # or it would not be alike
    return run.status.rate


def _episodes(settings: Mapping[str, Any]) -> int:
    """Return how many episodes a run evaluates in all, for each return target."""
    every, episodes, final = (int(settings.get(name) or 0) for name in _EVALUATION)
    between = (max(0, int(settings["optim.steps"]) - 1) // every) * episodes if every > 0 else 0
    return between + final


def _targets(config: RunConfig) -> int:
    """Return how many return targets an evaluation tries."""
    if not METHODS[config.method].memory or config.model.return_to_go == "none":
        return 1
    return max(1, len(config.eval.targets or config.eval.target_quantiles))


def _checkpoints(settings: Mapping[str, Any]) -> int:
    """Return how many numbered checkpoints are left at a run's end."""
    names = ("optim.steps", "checkpoint.every", "checkpoint.keep")
    steps, every, keep = (int(settings.get(name) or 1) for name in names)
    return min(keep, math.ceil(steps / every))


def _seconds_per_episode(run: RunSummary) -> float | None:
    """Return the seconds that a run's evaluations took for each episode of each target; None before the first."""
    path = run.run.events_file
    try:
        stat = path.stat()
    except OSError:
        return None
    return _measured(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(256)
def _measured(path: Path, modified: int, size: int) -> float | None:
    """Return `_seconds_per_episode` of a file of events, read once for each state that it is in."""
    seconds, episodes = 0.0, 0
    for evaluation in history(read_events(path)).evaluations:
        took, played = number(evaluation.event.get("seconds")), _played(evaluation.event["scores"])
        if took is not None and math.isfinite(took) and played:
            seconds, episodes = seconds + took, episodes + played
    return seconds / episodes if episodes else None


def _played(scores: Any) -> int:
    """Return the episodes of all targets of an evaluation; 0 where its record has another form."""
    rows = [score for score in scores if isinstance(score, dict)] if isinstance(scores, list) else []
    counts = [score.get("episodes") for score in rows]
    return sum(count for count in counts if type(count) is int and count > 0)
