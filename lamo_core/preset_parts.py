"""Presets by what they are about: a preset's name taken apart into variant, task and share of the data."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lamo_core.config import unknown_key
from lamo_core.errors import UsageError
from lamo_core.presets import preset_names

PLAIN = "embedded"
"""The variant of presets that need nothing from a network."""

_NAME = re.compile(r"(?:(?P<variant>paper|official)-)?(?P<task>.+?)(?:-(?P<percent>[\d.]+)pct)?")
_FAMILIES = ("", "atari-", "mujoco-", "kitchen-")
"""What people leave away from the name of a task."""


@dataclass(frozen=True)
class PresetParts:
    """A preset's name taken apart."""

    name: str
    variant: str
    task: str
    ratio: float | None
    """None when the name says nothing about the share of data."""


def take_apart(name: str) -> PresetParts:
    """Return the parts of a preset's name, such as paper, atari-breakout, 0.01."""
    found = _NAME.fullmatch(name)
    assert found is not None  # the pattern fits every name
    percent = found["percent"]
    return PresetParts(name, found["variant"] or PLAIN, found["task"], float(percent) / 100 if percent else None)


@functools.cache
def all_presets() -> tuple[PresetParts, ...]:
    """Return the parts of every preset."""
    return tuple(take_apart(name) for name in preset_names())


def preset_tasks(variant: str = PLAIN) -> list[str]:
    """Return the tasks that a variant has presets for, in the order of their names."""
    return list(dict.fromkeys(parts.task for parts in all_presets() if parts.variant == variant))


def find_task(text: str, variant: str = PLAIN) -> str:
    """Return the task that `breakout` or `atari-breakout` means; raises `UsageError` with the nearest name."""
    known = preset_tasks(variant)
    for family in _FAMILIES:
        if f"{family}{text}" in known:
            return f"{family}{text}"
    raise unknown_key(text, known, f"task with {variant} presets,")


def nearest_preset(task: str, ratio: float, variant: str = PLAIN) -> PresetParts:
    """Return the task's preset whose share of data comes nearest; raises `UsageError` when the task has none."""
    fitting = [parts for parts in all_presets() if (parts.task, parts.variant) == (task, variant)]
    if not fitting:
        raise UsageError(f"there is no {variant} preset for {task}; choose another variant")
    return min(fitting, key=lambda parts: abs((parts.ratio or 1.0) - ratio))


def named_ratios(tasks: Sequence[str]) -> list[float]:
    """Return the shares of data that the presets of these tasks name, smallest first."""
    return sorted({parts.ratio for parts in all_presets() if parts.task in tasks and parts.ratio is not None})
