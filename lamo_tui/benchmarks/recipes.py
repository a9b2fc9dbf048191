"""Trains presets for a few steps, each in a process of its own, and evaluates them: do all recipes work?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from math import nan
from pathlib import Path
from typing import Any

from lamo_core.errors import DataError, StorageError
from lamo_core.runs.records import decode, encode, number
from lamo_core.settings.preset_parts import PLAIN, all_presets
from lamo_core.wording import plural

SHORT_EPISODES = 600
"""Decisions at which evaluation episodes are cut, so that a good Atari agent does not take minutes."""


@dataclass(frozen=True)
class RecipeResult:
    """How one preset did."""

    preset: str
    ok: bool
    seconds: float
    episodes: int = 0
    """Of data."""
    first_loss: float = nan
    last_loss: float = nan
    """Mean over the first and the last tenth of the steps."""
    mean_return: float = nan
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class RecipePlan:
    """What is done with every preset."""

    steps: int = 200
    """Of training."""
    settings: tuple[str, ...] = ()
    """Overrides, such as `device=cpu`."""
    minutes: float = 60.0
    """After which a preset counts as failed."""


def extreme_presets(pattern: str = "") -> list[str]:
    """Return, for every task with embedded data, the presets with the least and the most of it, by name.

    Only those whose name holds `pattern`, or fits it where it has wildcards such as in `*-100pct`.
    """
    chosen: list[str] = []
    plain = [parts for parts in all_presets() if parts.variant == PLAIN and parts.ratio is not None]
    for task in dict.fromkeys(parts.task for parts in plain):
        ordered = sorted((parts for parts in plain if parts.task == task), key=lambda parts: parts.ratio or 0)
        chosen += [ordered[0].name, ordered[-1].name]
    return [name for name in dict.fromkeys(chosen) if pattern in name or fnmatchcase(name, pattern)]


def run_recipes(
    presets: Sequence[str], plan: RecipePlan, report: Callable[[str, int, int], None], kept: Path | None = None
) -> Iterator[RecipeResult]:
    """Train and evaluate every preset, yielding each result as it comes, whatever becomes of the others.

    With `kept`, results go into that file as well, one line of JSON each, and those that went well under the same plan
    earlier are taken from there. Runs are deleted. Raises `StorageError` and, for another kind of file, `DataError`.
    """
    earlier = _earlier(kept, plan) if kept else {}
    for done, preset in enumerate(presets):
        report(f"training {preset}", done, len(presets))
        if preset in earlier:
            yield earlier[preset]
            continue
        with tempfile.TemporaryDirectory(prefix="lamo-recipes-", ignore_cleanup_errors=True) as folder:
            result = _run(preset, plan, Path(folder))
        if kept:
            _keep(kept, plan, result)
        yield result


def _earlier(kept: Path, plan: RecipePlan) -> dict[str, RecipeResult]:
    """Return by name what went well under the plan; a half line, left by a crash, is passed over."""
    try:
        records = [decode(line) or {} for line in kept.read_bytes().splitlines()]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"{kept} cannot be read: {error.strerror or error}; choose another --out FILE") from error
    if records and _result(records[0]) is None:
        raise DataError(f"{kept} holds something else than results of recipes; choose another --out FILE")
    wanted = (plan.steps, list(plan.settings))
    results = [_result(record) for record in records if (record.get("steps"), record.get("settings")) == wanted]
    return {result.preset: result for result in results if result is not None and result.ok}


def _result(record: dict[str, Any]) -> RecipeResult | None:
    numbers = [number(record.get(field.name)) for field in fields(RecipeResult)[2:7]]
    preset, ok, message = (record.get(name) for name in ("preset", "ok", "message"))
    if None in numbers or type(ok) is not bool or not isinstance(preset, str) or not isinstance(message, str):
        return None
    seconds, episodes, first_loss, last_loss, mean_return = (value for value in numbers if value is not None)
    return RecipeResult(preset, ok, seconds, int(episodes), first_loss, last_loss, mean_return, message)


def _keep(kept: Path, plan: RecipePlan, result: RecipeResult) -> None:
    line = encode({"steps": plan.steps, "settings": list(plan.settings), **asdict(result)})
    try:
        with kept.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"  # ends a half line
            file.write(f"{line}\n".encode())
    except OSError as error:
        raise StorageError(f"could not write {kept}: {error.strerror or error}; choose another --out FILE") from error


def _run(preset: str, plan: RecipePlan, folder: Path) -> RecipeResult:
    settings = {
        "optim.steps": plan.steps,
        "optim.warmup_steps": max(1, plan.steps // 10),
        "eval.every": 0,
        "eval.final_episodes": 2,
        "checkpoint.every": plan.steps,
        "task.max_steps": SHORT_EPISODES,
    }
    command = [sys.executable, "-m", "lamo_tui.cli.app", "train", "--preset", preset, "--json"]
    for text in [*(f"{name}={value}" for name, value in settings.items()), *plan.settings]:
        command += ["--set", text]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LAMO_RUNS": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60 * plan.minutes,
        )
    except subprocess.TimeoutExpired:
        message = f"not done after {plan.minutes:g} {plural('minute', plan.minutes)}"
        return RecipeResult(preset, False, 60 * plan.minutes, message=message)
    seconds = time.perf_counter() - start
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        return RecipeResult(preset, False, seconds, message=f"exit code {done.returncode}: {lines[-1]}")
    try:
        return _read(preset, seconds, json.loads(done.stdout))
    except (OSError, LookupError, ValueError, TypeError, StopIteration) as error:
        return RecipeResult(preset, False, seconds, message=f"its run cannot be read: {error!r}")


def _read(preset: str, seconds: float, outcome: dict[str, Any]) -> RecipeResult:
    run = Path(outcome["path"])
    events = [decode(line) or {} for line in (run / "events.jsonl").read_text().splitlines()]
    started = next(event for event in events if event.get("event") == "Started")
    records = [decode(line) or {} for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [value for record in records if (value := number(record.get("loss"))) is not None]
    tenth = max(1, len(losses) // 10)
    return RecipeResult(
        preset=preset,
        ok=True,
        seconds=seconds,
        episodes=int(started["episodes"]),
        first_loss=sum(losses[:tenth]) / tenth,
        last_loss=sum(losses[-tenth:]) / tenth,
        mean_return=float(outcome["scores"][0]["mean"]),
    )
