"""Run directories as training writes them, from made-up numbers: same seed, same bytes on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lamo_core.evaluation.scores import TargetScore
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import decode, encode
from lamo_core.runs.status import write_status
from lamo_core.runs.writer import RunWriter
from lamo_core.settings.presets import resolve
from lamo_core.training.events import CheckpointSaved, EvalDone, Event, Started, StepDone, Stopped

NOW = 1_790_000_000.0
"""The fake clock's time, seconds since 1970."""


def make_run(
    root: Path,
    run_id: str,
    preset: str = "atari-breakout-1pct",
    *,
    steps: int = 400,
    total: int = 1000,
    seed: int = 0,
    ending: str = "",
    age: float = 3600.0,
    language: bool = False,
    nan_from: int | None = None,
    spike_at: int | None = None,
    ablations: Sequence[str] = (),
    method: str | None = None,
) -> RunDirectory:
    """Write a run that is at `steps` of `total`; `ending` is a stop reason, or empty while it runs."""
    settings = [f"optim.steps={total}", *(["language.weight=0.1"] if language else [])]
    resolved = resolve(preset, ablations, None, settings, {"seed": seed}, method)
    made = create_run(root, resolved.config, resolved.origins, ["lamo", "train", "--preset", preset])
    path = root / run_id
    made.path.rename(path)
    run = RunDirectory(path)
    info = decode(run.run_file.read_bytes())
    assert info is not None
    run.run_file.write_text(encode(info | {"created": NOW - age}))
    clock = _Clock(NOW - age)
    writer = RunWriter(run, resolved.config.eval, clock=clock, stopwatch=clock)
    for event in _events(steps, total, seed, clock, language, nan_from, spike_at):
        writer.write(event)
    if ending:
        writer.write(Stopped(steps, clock(), ending, "asked to stop" if ending == "stop" else ""))  # type: ignore[arg-type]
    writer.close()
    status = writer.status
    state = status.state if ending else "running"
    pid = {"stop": 101, "finished": 102}.get(ending, 4242)
    status = replace(
        status, state=state, reason=status.reason if ending else "", message=status.message if ending else ""
    )
    write_status(run, replace(status, pid=pid, pid_started=1.0, heartbeat=NOW - 1, phase="" if ending else "training"))
    return run


class _Clock:
    def __init__(self, time: float) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time


def _events(
    steps: int, total: int, seed: int, clock: _Clock, language: bool, nan_from: int | None, spike_at: int | None
) -> list[Event]:
    rng = np.random.default_rng(seed)
    events: list[Event] = [
        Started(0, clock(), total, 1_234_567, 7_654_321, "cpu", "fp32", "mini", 9, 9550, 61.3, (87.0,))
    ]
    for step in range(1, steps + 1):
        clock.time += 0.25
        loss = 0.35 + 1.05 * np.exp(-step / 150) + 0.05 * rng.standard_normal()
        if spike_at is not None and spike_at <= step < spike_at + 40:
            loss += 4.0
        if nan_from is not None and step >= nan_from:
            loss = float("nan")
        words = 3.0 + np.exp(-step / 300) + 0.03 * rng.standard_normal() if language else None
        seconds = {"data": 0.01, "model": 0.2, "optimiser": 0.02}
        rate = 5e-4 * min(1.0, step / 100)
        events.append(StepDone(step, clock(), loss, loss, words, 0.5 + 0.1 * rng.random(), rate, 32 * step, seconds))
        if step % 100 == 0:
            clock.time += 20
            mean = 5 + 70 * step / total + 3 * rng.standard_normal()
            score = TargetScore(
                87.0,
                10,
                (mean,) * 10,
                (900,) * 10,
                mean,
                mean - 6,
                mean + 7,
                100 * (mean - 1.7) / 30.1,
                900.0,
                50.0,
                "chunked",
                "sample",
            )
            events.append(EvalDone(step, clock(), (score,), 20.0, step == total))
            events.append(CheckpointSaved(step, clock(), f"checkpoints/{step:06d}.pt", step == steps))
    return events


def make_folder(root: Path) -> Path:
    """Write one run in each state that a list shows."""
    make_run(root, "20261121-014402-atari-breakout-1pct-s0-k3f9", steps=400)
    make_run(root, "20261121-010000-atari-qbert-10pct-s1-x2ab", "atari-qbert-10pct", steps=700, seed=1, age=7200)
    make_run(
        root,
        "20261120-220000-atari-breakout-10pct-s0-aa22",
        "atari-breakout-10pct",
        steps=1000,
        ending="finished",
        age=16_000,
    )
    make_run(
        root, "20261120-200000-atari-pong-1pct-s2-bb33", "atari-pong-1pct", steps=300, seed=2, ending="stop", age=23_000
    )
    lost = make_run(
        root, "20261120-180000-atari-breakout-0.1pct-s3-cc44", "atari-breakout-0.1pct", steps=250, seed=3, age=90_000
    )
    _change_status(lost, pid=7)
    stalled = make_run(root, "20261120-170000-atari-breakout-1pct-s4-dd55", steps=330, seed=4, age=100_000)
    _change_status(stalled, heartbeat=NOW - 45)
    paused = make_run(
        root, "20261120-160000-atari-qbert-1pct-s5-ee66", "atari-qbert-1pct", steps=150, seed=5, age=110_000
    )
    _change_status(paused, state="paused", phase="paused", eta=None)
    failed = make_run(
        root,
        "20261120-150000-atari-breakout-1pct-s6-ff77",
        steps=120,
        seed=6,
        ending="non-finite loss",
        age=200_000,
        nan_from=110,
    )
    _change_status(failed, message="the loss is NaN at step 110; lower optim.learning_rate")
    return root


def _change_status(run: RunDirectory, **changes: object) -> None:
    from lamo_core.runs.status import read_status

    write_status(run, replace(read_status(run), **changes))  # type: ignore[arg-type]


def alive(pid: int, started: float | None) -> bool:
    """Say which of the made-up processes live."""
    return pid == 4242
