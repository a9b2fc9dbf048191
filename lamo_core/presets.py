"""Find presets, inherit, overlay ablations, override; and say where each value came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig, field_names, parse_setting, unknown_key
from lamo_core.errors import UsageError
from lamo_core.methods import idle_settings
from lamo_core.parsing import TooDeep, parse_toml
from lamo_core.places import presets_dir

_RESERVED = {"inherits", "description", "abstract", "when", "minutes"}
_OVERLAYS = {"ablations": "ablation", "methods": "method"}
"""Folders of overlays and what one of them is called."""
_KINDS = {"discrete", "continuous", "frames", "vectors"}


@dataclass(frozen=True)
class Preset:
    """One preset file: what it says itself, before inheritance."""

    name: str
    path: Path
    description: str
    inherits: str | None
    abstract: bool
    values: Mapping[str, Any]
    when: Mapping[str, Any]
    """Further values for some tasks, by kind (`discrete`, `continuous`, `frames`, `vectors`) or beginning of a name."""
    minutes: float | None = None
    """About how long a run is sized to take on two processor cores."""


@dataclass(frozen=True)
class Resolved:
    """A complete config and, for every dotted setting, the place that decided it."""

    config: RunConfig
    origins: Mapping[str, str]


class NoEffect(UsageError):
    """An ablation of something that the method does not have."""


Layer = tuple[str, dict[str, Any]]
"""Where values come from, and the values by dotted name."""


def preset_names(kind: str = "") -> list[str]:
    """Return the names of all runnable presets, or of all overlays of a kind: `ablations`, `methods`."""
    return sorted(name for name, path in _files(kind).items() if not load_preset(name, kind, path).abstract)


def load_preset(name: str, kind: str = "", path: Path | None = None) -> Preset:
    """Read one preset file; raises `UsageError` for an unknown name or a file that is no valid preset."""
    if path is None:
        files = _files(kind)
        if name not in files:
            known = [known for known in files if not load_preset(known, kind, files[known]).abstract]
            raise unknown_key(name, known, _OVERLAYS.get(kind, "preset"))
        path = files[name]
    values = read_toml(path)
    return Preset(
        name=name,
        path=path,
        description=str(values.get("description", "")),
        inherits=values.get("inherits"),
        abstract=bool(values.get("abstract", False)),
        values={key: value for key, value in values.items() if key not in _RESERVED},
        when=values.get("when", {}),
        minutes=float(values["minutes"]) if isinstance(values.get("minutes"), int | float) else None,
    )


def budget_minutes(name: str) -> float | None:
    """Return the minutes that a preset, or the nearest of its ancestors that says so, is sized for."""
    return next((part.minutes for part in reversed(_lineage(name)) if part.minutes is not None), None)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises `UsageError` naming the file and what is wrong with it."""
    try:
        return parse_toml(path.read_text(encoding="utf-8-sig"))  # some editors write a mark before the first letter
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror}") from error
    except TooDeep as error:
        raise UsageError(f"{path} is nested too deeply for settings; write them as name = value") from error
    except ValueError as error:  # a UnicodeDecodeError is one
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def resolve(
    preset: str | None = None,
    ablations: Iterable[str] = (),
    file: Path | None = None,
    settings: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
    method: str | None = None,
) -> Resolved:
    """Build a config: defaults < preset (inherits) < method < ablations < file < `settings` (`a.b=c`) < `flags`.

    Raises `UsageError` for unknown names, keys and values, `NoEffect` for an ablation of what the method lacks.
    """
    layers: list[Layer] = []
    if preset is not None:
        layers += [(f"preset {part.name}", _flat(part.values)) for part in _lineage(preset)]
        layers.append(("preset name", {"name": preset}))
    later: list[Layer] = [
        *([(f"file {file}", _flat(read_toml(file)))] if file is not None else []),
        ("--set", dict(map(_parse_assignment, settings))),
        ("command line", dict(flags or {})),
    ]
    layers, later = _named_by_id(layers), _named_by_id(later)
    task = _last("task.name", [*layers, *later], RunConfig().task.name)
    if method is not None:
        layers += _overlay(method, "methods", task)
        if method != RunConfig().method:
            layers.append((f"method {method}", {"name": f"{_last('name', layers, 'run')}-{method.replace('+', '-')}"}))
    for ablation in ablations:
        layers += _overlay(ablation, "ablations", task)
        layers.append((f"ablation {ablation}", {"name": f"{_last('name', layers, 'run')}+{ablation}"}))
    found = _merge([*layers, *later])
    for ablation in ablations:
        _require_effect(ablation, task, found.config)
    return found


def _require_effect(ablation: str, task: str, config: RunConfig) -> None:
    idle = idle_settings(config)
    changed = {name for _, values in _overlay(ablation, "ablations", task) for name in values}
    if all(name.startswith(idle) for name in changed):
        why = f", which does not use {', '.join(sorted(changed))} here" if changed else ""
        raise NoEffect(f"the ablation {ablation} changes nothing in {config.method} on {task}{why}; leave it out")


def _named_by_id(layers: list[Layer]) -> list[Layer]:
    """Let `task.id` name the task as `gym:ID` in the layer that sets it, and a later name of a task do away with it."""
    named: list[Layer] = []
    for origin, values in layers:
        if values.get("task.id"):
            values = values | {"task.name": f"gym:{values['task.id']}"}
        elif "task.name" in values:
            values = values | {"task.id": str(values["task.name"]).partition("gym:")[2]}
        named.append((origin, values))
    return named


def _last(name: str, layers: list[Layer], default: str) -> str:
    """Return the value that the last layer gives to a setting."""
    return str(next((values[name] for _, values in reversed(layers) if name in values), default))


def _overlay(name: str, kind: str, task: str) -> list[Layer]:
    """Return an overlay's layers: of it and its ancestors what holds for every task, then what holds for this one."""
    origin, layers = f"{_OVERLAYS[kind]} {name}", []
    for part in _lineage(name, kind):
        layers.append((origin, _flat(part.values)))
        layers += [(origin, _flat(values)) for condition, values in part.when.items() if _holds(condition, task)]
    return layers


def _holds(condition: str, task: str) -> bool:
    """Return whether a task is of a kind: of actions, of observations, or by the beginning of its name."""
    if condition not in _KINDS:
        return task.startswith(condition)
    from lamo_core.tasks.registry import get_task

    found = get_task(task)
    return condition in (found.action_kind, "frames" if found.observation == "frames" else "vectors")


def _files(kind: str) -> dict[str, Path]:
    folder = presets_dir() / kind
    paths = folder.glob("*.toml") if kind else (p for p in folder.rglob("*.toml") if p.parent.name not in _OVERLAYS)
    return {path.name.removesuffix(".toml"): path for path in sorted(paths)}


def _lineage(name: str, kind: str = "") -> list[Preset]:
    """Return the preset or overlay and its ancestors, oldest first."""
    chain: list[Preset] = []
    parent: str | None = name
    while parent is not None:
        if parent in (part.name for part in chain):
            raise UsageError(f"preset {name!r} inherits from itself through {parent!r}")
        chain.append(load_preset(parent, kind))
        parent = chain[-1].inherits
    return chain[::-1]


def _parse_assignment(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--set wants name=value, such as optim.steps=1000, not {text!r}")
    return name.strip(), parse_setting(name.strip(), value.strip())


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _merge(layers: list[Layer]) -> Resolved:
    nested: dict[str, Any] = {}
    origins = dict.fromkeys(field_names(), "default")
    for origin, values in layers:
        for name, value in values.items():
            if name not in origins:
                raise unknown_key(name, field_names())
            origins[name] = origin
            *groups, leaf = name.split(".")
            group = nested
            for part in groups:
                group = group.setdefault(part, {})
            group[leaf] = _relative(name, value, group.get(leaf))
    return Resolved(RunConfig.from_dict(nested), origins)


_BOUND = re.compile(r"([<>]=)(\d+(?:\.\d+)?(?:e-?\d+)?)")


def _relative(name: str, value: Any, before: Any) -> Any:
    """Return a value that an overlay gives in terms of the one before it.

    `random:*` is the backbone that was named before, without its training. `>=5000` is at least that many, so that an
    overlay lengthens short runs and leaves long ones, and `<=0.001` at most that much; a 0, which switches a thing off,
    stays.
    """
    if name == "model.backbone" and isinstance(value, str):
        named = before or RunConfig().model.backbone
        return value.replace("*", named.removeprefix("random:") if value.startswith("random:") else named)
    bound = _BOUND.fullmatch(value) if isinstance(value, str) else None
    if bound is None:
        return value
    if before is None:
        before = reduce(getattr, name.split("."), RunConfig())
    limit = float(bound[2])
    kept = max(before, limit) if bound[1] == ">=" else min(before, limit)
    return type(before)(kept) if before else before


_RESUME_MAY_CHANGE = ("optim.steps", "eval.", "checkpoint.", "device", "precision")


def override(config: RunConfig, settings: Iterable[str], flags: Mapping[str, Any]) -> RunConfig:
    """Change settings of a run that is resumed; raises `UsageError` for those that would make it another run."""
    changes = dict(map(_parse_assignment, settings)) | dict(flags)
    for name in changes:
        if not name.startswith(_RESUME_MAY_CHANGE) or name == "eval.target_rule":
            raise UsageError(f"a resumed run keeps its {name}; start a new run to change it")
    layers = [("checkpoint", _flat(config.to_dict())), ("command line", changes)]
    return _merge(layers).config
