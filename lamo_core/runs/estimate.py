"""What a run will cost in time, disk and memory, told by former runs like it; guesses are called so."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.methods import METHODS
from lamo_core.presets import budget_minutes, resolve
from lamo_core.runs.compare import flatten
from lamo_core.runs.index import RunSummary
from lamo_core.runs.status import this_host
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

_SHAPES = {
    "dt": (128, 3),
    "gpt2": (768, 12),
    "gpt2-medium": (1024, 24),
    "distilgpt2": (768, 6),
    "smollm2-135m": (576, 30),
}
"""Width and layers of trunks, for guesses."""
_MINI = (256, 4)
_BYTES_PER_WEIGHT = 12
"""A checkpoint holds each trained weight and AdamW's two moments, four bytes each."""


@dataclass(frozen=True)
class Estimate:
    """How long a run will take, and from which run that is known."""

    seconds: float
    run: RunSummary


def estimate(config: RunConfig, runs: Iterable[RunSummary]) -> Estimate | None:
    """Return the time that a former run with steps of the same kind lets expect; None without one."""
    wanted = flatten(config.to_dict())
    alike = [run for run in runs if _alike(run, wanted)]
    same = ("optim.steps", *_EVALUATION)
    for run in alike:
        # one that was done to its end counts its evaluations too
        if run.state == "finished" and all(run.settings.get(name) == wanted[name] for name in same):
            return Estimate(run.status.seconds, run)
    if not alike:
        return None
    run, episodes = alike[0], _episodes(wanted, int(wanted["optim.steps"]), ended=True)
    assert run.status.rate is not None
    return Estimate(config.optim.steps / run.status.rate + episodes * _seconds_per_episode(run), run)


def sized_for(preset: str, config: RunConfig) -> float | None:
    """Return the seconds that a preset is sized for, for as many steps as are asked; None for other work than its."""
    minutes, plain = budget_minutes(preset), resolve(preset).config
    same = (config.method, config.model.backbone.removeprefix("random:"), config.optim.batch_size, config.model.context)
    its = (plain.method, plain.model.backbone.removeprefix("random:"), plain.optim.batch_size, plain.model.context)
    if minutes is None or same != its:
        return None
    return 60 * minutes * config.optim.steps / plain.optim.steps


def disk_bytes(config: RunConfig, runs: Iterable[RunSummary]) -> int:
    """Return what a run's folder will take: that of a finished run like it, else a guess from its model's size."""
    wanted = flatten(config.to_dict())
    kept = ("checkpoint.keep", "model.lora_rank", "model.lora_targets")
    for run in runs:
        same = all(run.settings.get(name) == wanted.get(name) for name in kept)
        if run.state == "finished" and same and _alike(run, wanted):
            return folder_bytes(run.run.path)
    # every numbered checkpoint, and the best one without its moments; the log of steps is small beside them
    weights = trained_weights(config)
    return round(_BYTES_PER_WEIGHT * weights * (config.checkpoint.keep + 1 / 3)) + 500 * config.optim.steps


def memory_bytes(config: RunConfig) -> int:
    """Return a guess, on the safe side, of the device memory that a run needs."""
    width, layers = _shape(config)
    device = "cpu" if config.device == "cpu" else "cuda"  # which takes more at once
    tokens = micro_batch_size(config, width, device) * 3 * config.model.context
    activations = 4 * tokens * layers * width * 40
    return (1 << 30) + 16 * trained_weights(config) + 4 * 14 * layers * width**2 + activations


def trained_weights(config: RunConfig) -> int:
    """Return about how many weights a run trains: embeddings, head, and what is trained of the trunk."""
    if not METHODS[config.method].memory:
        # a policy and two critics, each with a network for frames of its own
        nets = 1 if config.method in ("bc", "filtered-bc") else 3
        frames = 64 * 49 * config.markov.width + 80_000 if config.task.name.startswith("atari-") else 0
        return nets * (config.markov.layers * config.markov.width**2 + frames)
    width, layers = _shape(config)
    embeddings = (6 if config.model.embedding == "mlp" else 3) * width**2
    frames = 64 * 49 * width + 80_000 if config.task.name.startswith("atari-") else 0
    trunk = {
        "lora": 4 * config.model.lora_rank * width * layers,
        "full": 12 * layers * width**2,
        "frozen": 0,
    }[config.model.adapter]
    return embeddings + frames + trunk


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


def _shape(config: RunConfig) -> tuple[int, int]:
    return _SHAPES.get(config.model.backbone.removeprefix("random:"), _MINI)


def _alike(run: RunSummary, wanted: Mapping[str, Any]) -> bool:
    device = str(wanted["device"])
    same_device = device == "auto" or run.status.device.startswith(device)
    here = run.status.host in ("", this_host())
    same = all(_speed_of(run.settings, name) == _speed_of(wanted, name) for name in _SPEED)
    return bool(run.status.rate) and same_device and here and same


def _speed_of(settings: Mapping[str, Any], name: str) -> Any:
    """Return a setting as far as it decides the time of a step: random weights take as long as trained ones."""
    value = settings.get(name)
    return value.removeprefix("random:") if name == "model.backbone" and isinstance(value, str) else value


def _episodes(settings: Mapping[str, Any], step: int, ended: bool) -> int:
    """Return how many episodes a run has evaluated by a step, for each return target."""
    every, episodes, final = (int(settings.get(name) or 0) for name in _EVALUATION)
    between = (max(0, step - 1) // every) * episodes if every > 0 else 0
    return between + (final if ended else 0)


def _seconds_per_episode(run: RunSummary) -> float:
    """Return what a run spent beside its steps, for each episode that it has evaluated; loading counts in."""
    episodes = _episodes(run.settings, run.status.step, run.state == "finished")
    if not episodes or not run.status.rate:
        return 0.0
    return max(0.0, run.status.seconds - run.status.step / run.status.rate) / episodes
