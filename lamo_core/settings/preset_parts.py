"""Presets by what they are about: a preset's name taken apart into variant, task and share of the data."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lamo_core.config import unknown_key
from lamo_core.errors import UsageError
from lamo_core.settings.presets import preset_names, ratio_name, resolve, split_ratio

PLAIN = "embedded"
"""The variant of presets that need nothing from a network."""

_NAME = re.compile(r"(?:(?P<variant>paper|official)-)?(?P<task>.+)")


@dataclass(frozen=True)
class PresetParts:
    """A preset's name taken apart."""

    name: str
    variant: str
    task: str
    ratio: float | None
    """None when the name says nothing about the share of data."""


def take_apart(name: str) -> PresetParts:
    """Return the parts of a preset's name, such as paper, atari-breakout, 0.01; raises `UsageError`."""
    base, ratio = split_ratio(name)
    found = _NAME.fullmatch(base)
    if found is None:
        raise unknown_key(name, preset_names(), "preset")
    return PresetParts(name, found["variant"] or PLAIN, found["task"], ratio)


@functools.cache
def all_presets() -> tuple[PresetParts, ...]:
    """Return the parts of every preset that lists offer."""
    return tuple(take_apart(name) for name in preset_names())


def preset_tasks(variant: str = PLAIN) -> list[str]:
    """Return the tasks that a variant has presets for, in the order of their names."""
    return list(dict.fromkeys(parts.task for parts in all_presets() if parts.variant == variant))


def find_task(text: str, variant: str = PLAIN) -> str:
    """Return the task that `breakout` or `atari-breakout` means; raises `UsageError` with the nearest name.

    People leave away the simulator's name, up to the first hyphen.
    """
    known = preset_tasks(variant)
    if text in known:
        return text
    if found := next((task for task in known if text == task.partition("-")[2]), None):
        return found
    raise unknown_key(text, known, f"task with {variant} presets,")


def ratio_preset(task: str, ratio: float, variant: str = PLAIN) -> str:
    """Return the name of a task's preset with a share of its data; raises `UsageError` when the task has none."""
    require_variant(task, variant)
    return ratio_name(_base(task, variant), ratio)


def shortest_name(task: str, ratio: float, variant: str = PLAIN) -> str:
    """Return what `ratio_preset` does, without the share where that is what the variant's preset has anyway.

    A task without presets gets the name that one would have.
    """
    base = _base(task, variant)
    offered = any(parts.name == base for parts in all_presets())
    return base if offered and resolve(base).config.data.ratio == ratio else ratio_name(base, ratio)


def require_variant(task: str, variant: str) -> None:
    """Raise `UsageError` when a task has no presets of a variant."""
    if task not in preset_tasks(variant):
        raise UsageError(f"there is no {variant} preset for {task}; choose another variant")


def _base(task: str, variant: str) -> str:
    return task if variant == PLAIN else f"{variant}-{task}"


def named_ratios(tasks: Sequence[str]) -> list[float]:
    """Return the shares of data that are recommended for these tasks, smallest first."""
    return sorted({parts.ratio for parts in all_presets() if parts.task in tasks and parts.ratio is not None})
