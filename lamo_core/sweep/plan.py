"""What a sweep will do and cost, written down before anything is started."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from lamo_core.config import RunConfig, field_names
from lamo_core.engine.run_spec import RunSpec, spec_of
from lamo_core.errors import StorageError, UsageError
from lamo_core.files import write_bytes
from lamo_core.runs.compare import flatten
from lamo_core.runs.directory import ELSEWHERE, is_sound, storage_error
from lamo_core.runs.index import RunSummary
from lamo_core.runs.records import decode, encode, number
from lamo_core.runs.timing.estimate import disk_bytes, estimate, memory_bytes, sized_for
from lamo_core.settings.presets import Resolved
from lamo_core.sweep.folder import SweepFolder
from lamo_core.sweep.grid import Grid, expand

SCHEMA = 1
BUDGET = "preset"
_ELSEWHERE_EQUAL = ("name", "device", "precision", "checkpoint.every", "checkpoint.keep", "data.memory_gb")
"""Settings in which a run may differ and still be the same experiment."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of the plan and what it will cost."""

    key: str
    """Unique within the plan, such as `atari-breakout-1pct+frozen-s0`."""
    spec: RunSpec
    seconds: float | None
    """None when nothing is known."""
    source: str
    """Where `seconds` comes from: the id of a run, `preset` for the preset's budget, or empty."""
    disk: int
    """Bytes; 0, as below, where the shape of the model is not known here."""
    memory: int
    """Bytes on the device, guessed on the safe side."""
    config: Mapping[str, Any]
    """All settings as they were when it was planned: a preset that changes later must not split a sweep in two."""
    done: str = ""
    """The id of a finished run that is the same experiment, so that nothing is left to do."""

    @property
    def room(self) -> int:
        """Bytes to find on the device: all of it where nobody knows."""
        return self.memory or 1 << 62

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the plan's file and `--json`."""
        costs = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("key", "spec")}
        return {"item": {"key": self.key, **self.spec.to_record()}, **costs}


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep."""

    name: str
    created: float
    grid: Grid
    runs: tuple[PlannedRun, ...]

    @property
    def open(self) -> list[PlannedRun]:
        """The runs that were not done before the sweep was planned."""
        return [run for run in self.runs if not run.done]

    @property
    def seconds(self) -> float:
        """Time of all open runs one after the other, as far as it is known."""
        return sum(run.seconds or 0.0 for run in self.open)

    @property
    def unknown(self) -> int:
        """Open runs whose time is not known."""
        return sum(run.seconds is None for run in self.open)

    @property
    def budgeted(self) -> int:
        """Open runs whose time is only what their preset is sized for."""
        return sum(run.source == BUDGET for run in self.open)

    @property
    def disk(self) -> int:
        """Bytes that the open runs will take, as far as they are known."""
        return sum(run.disk for run in self.open)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the plan's file and `--json`."""
        plain = {"name": self.name, "created": self.created, "grid": asdict(self.grid)}
        return {"schema": SCHEMA, **plain, "runs": [run.to_dict() for run in self.runs]}


def make_plan(name: str, grid: Grid, runs: Sequence[RunSummary], *, reuse: bool = True) -> Plan:
    """Return the plan of a grid; `runs` are those of the folder, newest first.

    With `reuse` a finished run with equal settings stands for a planned one. Raises `UsageError`.
    """
    finished = _finished(runs) if reuse else {}
    planned = tuple(_plan_run(key, spec, runs, finished) for key, spec in expand(grid).items())
    return Plan(name, time.time(), grid, planned)


def extended(plan: Plan, grid: Grid, runs: Sequence[RunSummary], *, reuse: bool = True) -> Plan:
    """Return a plan of the wider `grid` that keeps what `plan` says of its own runs; raises `UsageError`."""
    finished, known = _finished(runs) if reuse else {}, {run.key: run for run in plan.runs}
    wider = [known.get(key) or _plan_run(key, spec, runs, finished) for key, spec in expand(grid).items()]
    keys = {run.key for run in wider}
    return replace(plan, grid=grid, runs=(*wider, *(run for run in plan.runs if run.key not in keys)))


def seconds_left(plan: Plan, keys: Container[str], runs: Sequence[RunSummary]) -> tuple[float, int]:
    """Return the time of the planned runs with these keys, one after the other, and how many have an unknown one.

    It is told anew by the runs that were finished meanwhile, beside which others worked as they will beside these.
    """
    seconds, unknown = 0.0, 0
    for run in plan.runs:
        if run.key in keys:
            known = estimate(RunConfig.from_dict(run.config), runs)
            seconds += known.seconds if known else run.seconds or 0.0
            unknown += known is None and run.seconds is None
    return seconds, unknown


def planned_settings(run: PlannedRun) -> Resolved:
    """Return a planned run's config and where its values come from; raises `UsageError` when it no longer reads."""
    config = RunConfig.from_dict(run.config)
    then, origins = flatten(config.to_dict()), dict.fromkeys(field_names(), "sweep's plan")
    with contextlib.suppress(UsageError):  # the preset may have gone away: only where values come from is lost
        found = run.spec.resolve()
        now = flatten(found.config.to_dict())
        origins |= {name: origin for name, origin in found.origins.items() if now[name] == then[name]}
    return Resolved(config, origins)


def _finished(runs: Sequence[RunSummary]) -> dict[str, str]:
    return {_identity(run.settings): run.id for run in reversed(runs) if run.state == "finished"}


def _plan_run(key: str, spec: RunSpec, runs: Sequence[RunSummary], finished: Mapping[str, str]) -> PlannedRun:
    config = spec.resolve().config
    known = estimate(config, runs)
    budget = None if known or spec.preset is None else sized_for(spec.preset, config)
    return PlannedRun(
        key=key,
        spec=spec,
        seconds=known.seconds if known else budget,
        source=known.run.id if known else BUDGET if budget else "",
        disk=disk_bytes(config, runs) or 0,
        memory=memory_bytes(config) or 0,
        config=config.to_dict(),
        done=finished.get(_identity(flatten(config.to_dict())), ""),
    )


def write_plan(folder: SweepFolder, plan: Plan) -> None:
    """Write the plan into a folder of its own; raises `StorageError`, also when the disk cannot hold the runs.

    Raises `UsageError` when another sweep has taken the name in the meantime.
    """
    _require_room(folder, plan)
    try:
        folder.path.mkdir()
    except FileExistsError as error:
        raise folder.taken() from error
    except OSError as error:
        raise storage_error(folder.path, error) from error
    try:
        write_bytes(folder.plan_file, (encode(plan.to_dict()) + "\n").encode(), ELSEWHERE)
    except StorageError:
        folder.path.rmdir()  # the name is free again
        raise


def rewrite_plan(folder: SweepFolder, plan: Plan) -> None:
    """Put an extended plan in the place of the one before; the caller has claimed the sweep. Raises `StorageError`."""
    _require_room(folder, plan)
    write_bytes(folder.plan_file, (encode(plan.to_dict()) + "\n").encode(), ELSEWHERE)


def _require_room(folder: SweepFolder, plan: Plan) -> None:
    sweeps = folder.path.parent
    try:
        sweeps.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(sweeps).free
    except OSError as error:
        raise storage_error(sweeps, error) from error
    if plan.disk > free:
        need, have = plan.disk / 1e9, free / 1e9
        raise StorageError(
            f"the runs of {plan.name} need about {need:.1f} GB and {have:.1f} GB are free in {folder.root}; "
            f"plan fewer runs, set checkpoint.keep=1, or choose another folder with {ELSEWHERE}"
        )


def read_plan(folder: SweepFolder) -> Plan:
    """Return a sweep's plan; raises `UsageError` when it is missing or damaged."""
    try:
        values = decode(folder.plan_file.read_bytes()) or {}
        grid = dict(values["grid"])
        tasks = tuple((str(task), tuple(map(float, ratios))) for task, ratios in grid.pop("tasks"))
        runs = tuple(_planned(run) for run in values["runs"])
        return Plan(values["name"], float(values["created"]), Grid(tasks, **_tupled(grid)), runs)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(f"{folder.plan_file} is damaged or missing; plan the sweep anew under another name") from error


def _planned(values: Mapping[str, Any]) -> PlannedRun:
    item = values["item"]
    run = PlannedRun(item["key"], spec_of(item), **{key: values[key] for key in values if key != "item"})
    counts = all(type(count) is int and 0 <= count < 2**62 for count in (run.disk, run.memory))
    texts = all(isinstance(text, str) for text in (run.key, run.spec.preset, run.source, run.done))
    known = run.seconds is None or number(run.seconds) is not None
    if not (counts and texts and known and is_sound(run.config)) or os.path.basename(run.done) != run.done:
        raise ValueError("it holds values that no plan has")
    return run


def _tupled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _identity(settings: Mapping[str, Any]) -> str:
    """Return what makes an experiment: its settings, without names and places.

    Settings at their default do not count, so that a run of a version which did not know them yet is still found.
    """
    default = flatten(RunConfig().to_dict())
    kept = {key: value for key, value in settings.items() if value != default.get(key) and key not in _ELSEWHERE_EQUAL}
    return encode(dict(sorted(kept.items())))
