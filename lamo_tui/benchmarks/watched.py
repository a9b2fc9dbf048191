"""What being watched costs a training: its steps per second with a dashboard at work and with one that is held.

One training runs all the time and writes its records; a dashboard shows it. The dashboard is stopped and continued in
turns, so that both kinds of stretches meet the same training, the same machine and the same other load.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lamo_core.errors import LamoError
from lamo_tui.benchmarks.session import cpu_seconds, dashboard, drain, make_runs

PRESET = "mujoco-hopper-1pct"
_SETTINGS = ("method=dt", "device=cpu", "eval.every=0", "optim.steps=1000000", "checkpoint.every=1000000")
_SETTLE = 0.5
"""Seconds at the beginning of a stretch that do not count."""
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class WatchCost:
    """Speeds of a training in pairs of neighbouring stretches."""

    pairs: int
    seconds: float
    """Of each stretch."""
    alone: float
    """Median steps per second while the dashboard is held."""
    ratio: float
    """Median over pairs of the speed while watched by that while not; 1 is no cost at all."""
    low: float
    high: float
    """Quartiles of the ratio."""
    dashboard_cpu: float
    """Processor seconds per second that the dashboard takes meanwhile; on a busy machine it tells more than the
    ratio."""


def measure_watched(runs: int = 1_000, pairs: int = 12, seconds: float = 3.0) -> WatchCost:
    """Train a small policy in a process of its own and watch it; raises `LamoError` when it does not get going."""
    with tempfile.TemporaryDirectory(prefix="lamo-benchmark-") as name:
        folder = Path(name)
        make_runs(folder / "runs", runs)
        with _training(folder / "runs") as metrics, dashboard(folder, "--attach", "last") as (process, terminal):
            _wait_for_steps(metrics, terminal)
            stretches = list(_stretches(metrics, process, terminal, pairs, seconds))
    ratios = sorted(watched / alone for watched, alone, _ in stretches)
    low, ratio, high = statistics.quantiles(ratios, n=4)
    alone = statistics.median(alone for _, alone, _ in stretches)
    return WatchCost(pairs, seconds, alone, ratio, low, high, statistics.mean(used for *_, used in stretches))


@contextmanager
def _training(root: Path) -> Iterator[Path]:
    """Start a training and yield the file that it writes its records to."""
    words = [word for setting in _SETTINGS for word in ("--set", setting)]
    command = [sys.executable, "-m", "lamo_tui.cli.app", "train", "--preset", PRESET, *words]
    before = set(root.iterdir())
    training = subprocess.Popen(
        command,
        env={**os.environ, "LAMO_RUNS": str(root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + _PATIENCE_S
        while not (made := [path for path in root.iterdir() if path not in before and path.name[0] != "."]):
            if training.poll() is not None or time.monotonic() > end:
                raise LamoError(f"a training of {PRESET} did not start; see why with: lamo train --preset {PRESET}")
            time.sleep(0.2)
        yield made[0] / "metrics.jsonl"
    finally:
        training.kill()
        training.wait()


def _wait_for_steps(metrics: Path, terminal: int) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not metrics.is_file() or metrics.stat().st_size < 10_000:
        if time.monotonic() > end:
            raise LamoError(f"a training of {PRESET} made no steps; see why with: lamo train --preset {PRESET}")
        drain(terminal, 0.5)


def _stretches(
    metrics: Path, process: int, terminal: int, pairs: int, seconds: float
) -> Iterator[tuple[float, float, float]]:
    """Yield steps per second watched and alone, and the dashboard's processor seconds per second while it watches.

    Which of the two comes first changes from pair to pair.
    """
    for pair in range(pairs):
        found, used = {}, 0.0
        for watched in (True, False) if pair % 2 else (False, True):
            os.kill(process, signal.SIGCONT if watched else signal.SIGSTOP)
            drain(terminal, _SETTLE)
            start, before = time.time(), cpu_seconds(process)
            drain(terminal, seconds)
            used += (cpu_seconds(process) - before) / seconds
            found[watched] = _speed(metrics, start, time.time())
        yield found[True], found[False], used
    os.kill(process, signal.SIGCONT)


def _speed(metrics: Path, start: float, end: float) -> float:
    """Return steps per second between two moments, from the times that the training wrote beside its steps."""
    with metrics.open("rb") as file:
        file.seek(max(0, metrics.stat().st_size - (4 << 20)))
        lines = file.read().split(b"\n")[1:-1]
    times = [record["t"] for record in map(json.loads, lines) if record["k"] == "train"]
    inside = [moment for moment in times if start <= moment <= end]
    if len(inside) < 2:
        raise LamoError(f"a training of {PRESET} made no steps for {end - start:.0f} s; is the machine that busy?")
    return (len(inside) - 1) / float(inside[-1] - inside[0])
