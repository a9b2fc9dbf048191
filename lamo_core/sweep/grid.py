"""A grid of tasks, data shares, methods, ablations and seeds, and the runs that it stands for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lamo_core.config import parse_setting, unknown_key
from lamo_core.engine.run_spec import METHOD, RunSpec
from lamo_core.errors import UsageError
from lamo_core.methods import METHODS
from lamo_core.settings.preset_parts import PLAIN, find_task, ratio_preset
from lamo_core.settings.presets import NoEffect, load_preset
from lamo_core.shares import parse_share
from lamo_core.tasks.registry import get_task

NONE = "none"
"""The ablation that leaves the method whole."""


@dataclass(frozen=True)
class Grid:
    """What a sweep goes through; every combination is one run."""

    tasks: tuple[tuple[str, tuple[float, ...]], ...]
    """Each task with the shares of its data."""
    methods: tuple[str, ...] = (METHOD,)
    ablations: tuple[str, ...] = (NONE,)
    """Each an overlay, several joined by `+`, or `none`."""
    seeds: tuple[int, ...] = (0,)
    variant: str = PLAIN
    settings: tuple[str, ...] = ()
    """`name=value` for every run, as `--set` takes it; `WHICH:name=value` for those of a task, a family of tasks (such
    as `kitchen`), a method, or of both, such as `hopper/dt`."""
    device: str = "auto"
    varied: tuple[str, ...] = ()
    """Settings with several values, `name=a,b`, of which every combination is a run."""
    ablate_all: bool = False
    """Whether ablations are laid over every method; else only over `lamo`, which they take apart."""


def parse_tasks(text: str, ratios: str | None, variant: str = PLAIN) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return tasks and shares of `breakout,hopper:0.5%+1%`; `ratios` (`0.1%,1%`) holds for tasks that name none.

    Raises `UsageError` for unknown tasks and for a task without a share.
    """
    shared = tuple(map(parse_share, ratios.split(","))) if ratios else ()
    tasks: dict[str, tuple[float, ...]] = {}
    for part in text.split(","):
        name, colon, own = part.strip().partition(":")
        task = find_task(name, variant)
        tasks[task] = tuple(map(parse_share, own.split("+"))) if colon else shared
        if not tasks[task]:
            raise UsageError(f"say which share of the data {name} gets: --ratios 1%,10% or --tasks {name}:1%+10%")
    return tuple(tasks.items())


def widened(grid: Grid, more: Mapping[str, Any]) -> Grid:
    """Return a grid that holds `grid` and the further values that `more` has for some of its axes."""
    tasks = {task: tuple(dict.fromkeys(ratios)) for task, ratios in grid.tasks}
    for task, ratios in more.get("tasks", ()):
        tasks[task] = tuple(dict.fromkeys((*tasks.get(task, ()), *ratios)))

    def united(name: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys((*getattr(grid, name), *more.get(name, ()))))

    return replace(
        grid,
        tasks=tuple(tasks.items()),
        methods=united("methods"),
        ablations=united("ablations"),
        seeds=united("seeds"),
    )


def expand(grid: Grid) -> dict[str, RunSpec]:
    """Return the runs of a grid by their keys, such as `atari-breakout-1pct+frozen-s0`.

    They come seed by seed, so that a sweep cut short has few seeds but whole tables. Methods that cannot choose a
    task's actions have no runs there, nor have ablations of what a method lacks. Raises `UsageError` for unknown
    methods, ablations and settings, and when no run is left.
    """
    for ablation in grid.ablations:
        for part in _parts(ablation):
            load_preset(part, "ablations")
    places = list(itertools.product((task for task, _ in grid.tasks), grid.methods))
    for setting in grid.settings:
        which, _ = _scope(setting)
        if not any(_in_scope(which, task, method) for task, method in places):
            known = [*(task for task, _ in grid.tasks), *grid.methods]
            raise unknown_key(which, known, "task or method of this sweep,")
    combinations = list(itertools.product(*map(parse_varied, grid.varied)))
    runs: dict[str, RunSpec] = {}
    for seed, (task, ratios), method in itertools.product(grid.seeds, grid.tasks, grid.methods):
        if not fits(task, method):
            continue
        for ratio, ablation, values in itertools.product(ratios, _ablations_of(method, grid), combinations):
            with suppress(NoEffect):
                spec = _spec(grid, task, ratio, method, _parts(ablation), seed, values)
                key = "+".join([spec.resolve().config.name, *values])
                runs.setdefault(f"{key}-s{seed}", spec)
    if not runs:
        raise UsageError("no method or ablation of this sweep fits its tasks; `lamo presets` says what each changes")
    return runs


def parse_varied(text: str) -> tuple[str, ...]:
    """Return the settings `name=value` of `name=a,b`; raises `UsageError` for one without a value, or two equal ones.

    Values that are lists themselves stand in brackets: `eval.targets=[60,90],[120]`.
    """
    name, equals, values = text.partition("=")
    found = [value.strip() for value in re.findall(r"\[[^\]]*\]|[^,]+", values)]
    settings = tuple(f"{name.strip()}={value}" for value in found if value)
    if not equals or not settings or len(set(settings)) < len(settings):
        raise UsageError(
            f"--vary wants a setting and different values, such as optim.learning_rate=1e-3,3e-3, not {text!r}"
        )
    for setting in settings:
        parse_setting(name.strip(), setting.partition("=")[2])
    return settings


def fits(task: str, method: str) -> bool:
    """Return whether a method can choose the actions of a task; raises `UsageError` for an unknown method."""
    if method not in METHODS:
        raise unknown_key(method, list(METHODS), "method")
    return get_task(task).action_kind in METHODS[method].actions


def _scope(setting: str) -> tuple[str, str]:
    """Return which runs a setting is for, empty for all, and the setting itself."""
    name, equals, value = setting.partition("=")
    which, colon, bare = name.rpartition(":")
    return (which.strip(), f"{bare}{equals}{value}") if colon else ("", setting)


def _in_scope(which: str, task: str, method: str) -> bool:
    """Return whether every part of `task/method` names the run's task, its family or its method."""
    names = (task, task.partition("-")[2], task.partition("-")[0], method)
    return all(part in names for part in which.split("/")) if which else True


def _settings_of(grid: Grid, task: str, method: str) -> tuple[str, ...]:
    """Return the settings of one task and method: those for fewer runs come later and count."""
    scoped = [(which.count("/") + bool(which), bare, which) for which, bare in map(_scope, grid.settings)]
    return tuple(bare for _, bare, which in sorted(scoped, key=lambda item: item[0]) if _in_scope(which, task, method))


def _ablations_of(method: str, grid: Grid) -> tuple[str, ...]:
    return grid.ablations if method == METHOD or grid.ablate_all else (NONE,)


def _parts(ablation: str) -> tuple[str, ...]:
    return () if ablation == NONE else tuple(ablation.split("+"))


def _spec(
    grid: Grid, task: str, ratio: float, method: str, ablations: tuple[str, ...], seed: int, values: tuple[str, ...]
) -> RunSpec:
    return RunSpec(
        preset=ratio_preset(task, ratio, grid.variant),
        method=None if method == METHOD else method,
        ablations=ablations,
        settings=(*_settings_of(grid, task, method), *values),
        seed=seed,
        device=grid.device,
    )
