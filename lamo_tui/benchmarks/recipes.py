"""Trains presets for a few steps, each in a process of its own, and evaluates them: do all recipes work?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lamo_core.preset_parts import PLAIN, all_presets

_SHORT_EPISODES = 600
"""Decisions at which evaluation episodes are cut, so that a good Atari agent does not take minutes."""
_LONGEST = 1_800.0
"""Seconds for one preset on a slow machine."""


@dataclass(frozen=True)
class RecipeResult:
    """How one preset did."""

    preset: str
    ok: bool
    seconds: float
    episodes: int = 0
    """Of data."""
    first_loss: float = float("nan")
    last_loss: float = float("nan")
    """Mean over the first and the last tenth of the steps."""
    mean_return: float = float("nan")
    message: str = ""
    """Why it failed."""


def extreme_presets(match: str = "") -> list[str]:
    """Return, for every task with embedded data, the presets with the least and the most of it, by name."""
    chosen: list[str] = []
    plain = [parts for parts in all_presets() if parts.variant == PLAIN and parts.ratio is not None]
    for task in dict.fromkeys(parts.task for parts in plain):
        ordered = sorted((parts for parts in plain if parts.task == task), key=lambda parts: parts.ratio or 0)
        chosen += [ordered[0].name, ordered[-1].name]
    return [name for name in dict.fromkeys(chosen) if match in name]


def run_recipes(
    presets: list[str], steps: int, extra: list[str], report: Callable[[str, int, int], None]
) -> Iterator[RecipeResult]:
    """Train and evaluate every preset, yielding each result as it comes; nothing is left behind."""
    with tempfile.TemporaryDirectory(prefix="lamo-recipes-") as folder:
        for done, preset in enumerate(presets):
            report(f"training {preset}", done, len(presets))
            yield _run(preset, steps, extra, Path(folder))


def _run(preset: str, steps: int, extra: list[str], folder: Path) -> RecipeResult:
    settings = {
        "optim.steps": steps,
        "optim.warmup_steps": max(1, steps // 10),
        "eval.every": 0,
        "eval.final_episodes": 2,
        "checkpoint.every": steps,
        "task.max_steps": _SHORT_EPISODES,
    }
    command = [sys.executable, "-m", "lamo_tui.cli.app", "train", "--preset", preset, "--json"]
    for text in [*(f"{name}={value}" for name, value in settings.items()), *extra]:
        command += ["--set", text]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LAMO_RUNS": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired:
        return RecipeResult(preset, False, _LONGEST, message="it took too long")
    seconds = time.perf_counter() - start
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        return RecipeResult(preset, False, seconds, message=f"exit code {done.returncode}: {lines[-1]}")
    return _read(preset, seconds, json.loads(done.stdout))


def _read(preset: str, seconds: float, outcome: dict[str, object]) -> RecipeResult:
    from lamo_core.runs.records import decode, number

    run = Path(str(outcome["path"]))
    events = [decode(line) or {} for line in (run / "events.jsonl").read_text().splitlines()]
    started = next(event for event in events if event.get("event") == "Started")
    records = [decode(line) or {} for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [value for record in records if (value := number(record.get("loss"))) is not None]
    tenth = max(1, len(losses) // 10)
    scores = outcome["scores"]
    assert isinstance(scores, list)
    return RecipeResult(
        preset=preset,
        ok=True,
        seconds=seconds,
        episodes=int(started.get("episodes", 0)),
        first_loss=sum(losses[:tenth]) / tenth,
        last_loss=sum(losses[-tenth:]) / tenth,
        mean_return=float(scores[0]["mean"]),
    )
