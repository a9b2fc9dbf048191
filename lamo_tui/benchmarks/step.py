"""What a training step costs: time, the share of what the device's matrix products allow, operator calls.

The work that a share is measured against is counted for the plain algorithm, every block for every token, and does not
change when a faster way skips some of it: skipping shows as a gain.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lamo_core.config import RunConfig
from lamo_core.data.episodes import EpisodeStore, FrameArray
from lamo_core.errors import UsageError
from lamo_core.methods import METHODS
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.settings.backbone_name import parse_backbone
from lamo_core.settings.presets import resolve
from lamo_core.tasks.registry import task_of
from lamo_core.tasks.task import Task
from lamo_core.training.events import StepDone
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, session_on

QUIET = {
    "eval.every": 0, "eval.final_episodes": 0, "eval.unseen_episodes": 0, "language.weight": 0.0,
    "optim.steps": 10**9, "checkpoint.every": 10**9,
}  # fmt: skip
"""What is left out, because it is no part of a step of the policy."""
_EPISODES, _LENGTH = 12, 150
_WARM = 2
_PRODUCT_SECONDS = 0.3


@dataclass(frozen=True)
class StepCost:
    """One preset's step on this machine."""

    preset: str
    backbone: str
    device: str
    batch: int
    micro_batch: int
    cpu_ms: float
    """Processor time, the median; what to compare on a processor that others use too."""
    wall_ms: float
    plain_ms: float
    """The same as `cpu_ms`, or `wall_ms` on a card, with every block for every token and autograd's gradients; measured
    in turn with it."""
    gflop: float
    """Of the plain algorithm."""
    gflops: float
    """The rate of a matrix product as large as those of a block, per second and 10^9."""
    share: float
    """Of the time that the plain algorithm would take at that rate."""
    calls: int
    """Operator calls, views included."""
    low: float = 0.0
    high: float = 0.0
    """The smallest and the largest gain of the steps that were measured in turn."""

    @property
    def gain(self) -> float:
        """How many times as fast as the plain way."""
        return self.plain_ms / (self.cpu_ms if self.device == "cpu" else self.wall_ms)


def measure_step(preset: str, settings: list[str], steps: int) -> StepCost:
    """Train a preset with random weights on made-up episodes for so many steps, in turn with the plain way."""
    session = made_up_session(preset, settings)
    learner: Any = session.learner
    trunk = learner.policy.trunk
    advance = _steps(session)
    for _ in range(_WARM):
        next(advance)
    own: list[tuple[float, float]] = []
    plain: list[tuple[float, float]] = []
    for _ in range(steps):
        own.append(_timed(advance, session.device))
        with _Plainly(trunk):
            plain.append(_timed(advance, session.device))
    calls = _calls(advance)
    with _Plainly(trunk):
        gflop = _flop(advance) / 1e9
    at_once = int(session.config.optim.micro_batch_size)
    rate = product_rate(_rows(session, at_once), learner.policy.width, session.device)
    cpu, wall = (statistics.median(times) for times in zip(*own, strict=True))
    clock = 0 if session.device.type == "cpu" else 1
    return StepCost(
        preset=preset,
        backbone=session.config.model.backbone,
        device=session.device.type,
        batch=session.config.optim.batch_size,
        micro_batch=at_once,
        cpu_ms=1e3 * cpu,
        wall_ms=1e3 * wall,
        plain_ms=1e3 * statistics.median(pair[clock] for pair in plain),
        gflop=gflop,
        gflops=rate,
        share=gflop / rate / (cpu, wall)[clock],
        calls=calls,
        low=min(other[clock] / one[clock] for one, other in zip(own, plain, strict=True)),
        high=max(other[clock] / one[clock] for one, other in zip(own, plain, strict=True)),
    )


def _rows(session: Session, windows: int) -> int:
    return session.config.model.step_tokens * session.config.model.context * windows


def made_up_session(preset: str, settings: list[str]) -> Session:
    """Return a session of a preset on noise; raises `UsageError` for a method without a trunk."""
    config = resolve(preset, settings=settings, flags=QUIET).config
    if not METHODS[config.method].memory:
        raise UsageError(f"{config.method} has no trunk, so its step is not measured; choose another --preset")
    values = config.to_dict()
    values["model"]["backbone"] = str(parse_backbone(values["model"]["backbone"]).with_weights("random"))
    config = RunConfig.from_dict(values)
    task = task_of(config.task)
    return session_on(config, task, made_up_store(task))


def made_up_store(task: Task) -> EpisodeStore:
    """Return some episodes of noise."""
    random = np.random.default_rng(0)
    lengths = np.full(_EPISODES, _LENGTH, np.int64)
    steps, rows = _EPISODES * _LENGTH, _EPISODES * (_LENGTH + 1)
    observations: Any
    if task.observation == "frames":
        frames = random.integers(0, 256, (rows + 1, 84, 84), dtype=np.uint8)
        frames[-1] = 0
        observations = FrameArray(frames)
    else:
        observations = random.standard_normal((rows, *task.observation_shape), dtype=np.float32)
    discrete = task.action_kind == "discrete"
    actions = random.integers(0, task.actions, steps).astype(np.uint8) if discrete else None
    if actions is None:
        actions = random.uniform(-1, 1, (steps, task.actions)).astype(np.float32)
    ended = np.ones(_EPISODES, bool)
    rewards = (random.random(steps) < 0.05).astype(np.float32)
    return EpisodeStore("made-up", observations, actions, rewards, lengths, ended, ~ended)


def product_rate(rows: int, width: int, device: torch.device) -> float:
    """Return the best of several rates, 10^9 operations a second, of (rows, width) times (width, 4 width)."""
    left, right = torch.randn(rows, width, device=device), torch.randn(width, 4 * width, device=device)
    operations, best = 8 * rows * width**2, 0.0
    repeats = max(1, round(2e8 / operations))
    until = time.perf_counter() + _PRODUCT_SECONDS
    while time.perf_counter() < until or not best:
        cpu, wall = _seconds(lambda: [left @ right for _ in range(repeats)], device)
        best = max(best, repeats * operations / 1e9 / max(cpu if device.type == "cpu" else wall, 1e-9))
    return best


class _Plainly:
    """Lets a trunk compute every block for every token, with autograd's gradients, for a while."""

    def __init__(self, trunk: torch.nn.Module) -> None:
        self._trunk = trunk if isinstance(trunk, Gpt2Trunk) else None

    def __enter__(self) -> None:
        self._set(False)

    def __exit__(self, *problem: object) -> None:
        self._set(True)

    def _set(self, value: bool) -> None:
        if self._trunk is not None:
            self._trunk.by_hand = self._trunk.in_part = value


def _steps(session: Session) -> Iterator[None]:
    for event in training_loop(session, Requests(), lambda *_: [], lambda *_: ""):
        if isinstance(event, StepDone):
            yield


def step_seconds(session: Session) -> Iterator[float]:
    """Train a session and yield the processor seconds of every step, without the first ones."""
    advance = _steps(session)
    for _ in range(_WARM):
        next(advance)
    while True:
        yield _timed(advance, session.device)[0]


def _timed(advance: Iterator[None], device: torch.device) -> tuple[float, float]:
    return _seconds(lambda: next(advance), device)


def _seconds(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return processor and wall seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.process_time() - cpu, time.perf_counter() - wall


def _calls(advance: Iterator[None]) -> int:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        next(advance)
    return sum(row.count for row in profiler.key_averages() if row.key.startswith("aten::"))


def _flop(advance: Iterator[None]) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        next(advance)
    return int(counter.get_total_flops())
