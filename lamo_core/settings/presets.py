"""Find presets, inherit, overlay ablations, override; and say where each value came from."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig, field_names, parse_setting, unknown_key
from lamo_core.errors import UsageError
from lamo_core.methods import require_targets
from lamo_core.places import presets_dir
from lamo_core.settings.backbone_name import BackboneName, parse_backbone
from lamo_core.settings.paths import absolute_paths
from lamo_core.settings.unused import idle_settings
from lamo_core.shares import parse_share, percent_text
from lamo_core.untrusted.parsing import TooDeep, parse_toml

_RESERVED = {"inherits", "description", "abstract", "when", "minutes", "ratios"}
_OVERLAYS = {"ablations": "ablation", "methods": "method"}
"""Folders of overlays and what one of them is called."""
_KINDS = {"discrete", "continuous", "frames", "vectors"}
_RATIO_NAME = re.compile(r"(?P<base>.+)-(?P<percent>[\d.]+)pct")


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
    ratios: tuple[float, ...] = ()
    """The shares of its data for which lists offer it."""


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
    """Return the names of presets to offer, or of all overlays of a kind: `ablations`, `methods`.

    Of a task those with the shares of data that its preset recommends; `TASK-NNpct` is one with any other share, too.
    """
    names: list[str] = []
    for name, path in _files(kind).items():
        preset = load_preset(name, kind, path)
        names += [] if preset.abstract else [name]
        names += [ratio_name(name, ratio) for ratio in preset.ratios]
    return sorted(names)


def is_preset(name: str) -> bool:
    """Return whether a name is that of a preset which can be trained, listed or not: one that says on which data."""
    try:
        return _names_data(_lineage(name))
    except UsageError:
        return False


def ratio_name(base: str, ratio: float) -> str:
    """Return the name of a preset with a share of its data, such as `atari-breakout-0.1pct`."""
    return f"{base}-{percent_text(ratio)}pct"


def split_ratio(name: str) -> tuple[str, float | None]:
    """Return a preset's name without its ending `-NNpct`, and the share of the data that the ending says.

    The share is None without an ending; raises `UsageError` where it is no share.
    """
    found = _RATIO_NAME.fullmatch(name)
    return (found["base"], parse_share(f"{found['percent']}%")) if found else (name, None)


def load_preset(name: str, kind: str = "", path: Path | None = None) -> Preset:
    """Read one preset file, or make that of a share of its data out of the name.

    Raises `UsageError` for an unknown name or a file that is no valid preset.
    """
    path = path or _find(name, kind)
    if path is None:
        return _with_ratio(name, kind)
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
        ratios=tuple(values.get("ratios", ())),
    )


def _with_ratio(name: str, kind: str) -> Preset:
    """Return the preset `BASE-NNpct`: BASE on that share of its data; raises `UsageError` for any other name."""
    base, ratio = split_ratio(name) if not kind else (name, None)
    if ratio is None:
        raise unknown_key(name, preset_names(kind), _OVERLAYS.get(kind, "preset"))
    path = _find(base)
    lineage = _lineage(base) if path is not None else []
    if path is None or not _names_data(lineage):
        bases = dict.fromkeys(split_ratio(known)[0] for known in preset_names())
        raise unknown_key(name, [ratio_name(known, ratio) for known in bases], "preset")
    description = f"{lineage[-1].description}, {percent_text(ratio)} % of its episodes"
    return Preset(ratio_name(base, ratio), path, description, base, False, {"data": {"ratio": ratio}}, {})


def budget_minutes(name: str) -> float | None:
    """Return the minutes that a preset, or the nearest of its ancestors that says so, is sized for."""
    return next((part.minutes for part in reversed(_lineage(name)) if part.minutes is not None), None)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises `UsageError` naming the file and what is wrong with it."""
    try:
        return parse_toml(path.read_text(encoding="utf-8-sig"))  # some editors write a mark before the first character
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
        lineage = _lineage(preset)
        layers += [(f"preset {part.name}", _flat(part.values)) for part in lineage]
        layers.append(("preset name", {"name": lineage[-1].name}))
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
    found = _merge([(origin, absolute_paths(values)) for origin, values in (*layers, *later)])
    require_targets(found.config)
    for ablation in ablations:
        _require_effect(ablation, task, found.config)
    return found


def _require_effect(ablation: str, task: str, config: RunConfig) -> None:
    idle = idle_settings(config)
    changed = {name for _, values in _overlay(ablation, "ablations", task) for name in values}
    if changed <= idle:
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


def _names_data(lineage: Iterable[Preset]) -> bool:
    return any("set" in part.values.get("data", ()) for part in lineage)


def _find(name: str, kind: str = "") -> Path | None:
    """Return the file of a preset or overlay; None where there is none."""
    path = presets_dir() / kind / f"{name}.toml"
    # a name is none of a path, such as ablations/frozen
    return path if path.name == f"{name}.toml" and os.path.isfile(path) else _files(kind).get(name)


def _files(kind: str) -> dict[str, Path]:
    folder = presets_dir() / kind
    paths = folder.glob("*.toml") if kind else (p for p in folder.rglob("*.toml") if p.parent.name not in _OVERLAYS)
    return {path.name.removesuffix(".toml"): path for path in sorted(paths)}


def lineage_names(name: str) -> list[str]:
    """Return the names of a preset and of its ancestors, oldest first; raises `UsageError` for an unknown one."""
    return [part.name for part in _lineage(name)]


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
            origins[name] = _decided(name, value, origins[name], origin)
            *groups, leaf = name.split(".")
            group = nested
            for part in groups:
                group = group.setdefault(part, {})
            group[leaf] = _relative(name, value, group.get(leaf))
    return Resolved(RunConfig.from_dict(nested), origins)


JOINED = " + "
"""Stands between the overlays that decide a setting together."""


def _decided(name: str, value: Any, before: str, origin: str) -> str:
    """Return the place that decides a setting: two overlays, where one changes the model that another names."""
    relative = name == "model.backbone" and isinstance(value, str) and "*" in value
    return f"{before}{JOINED}{origin}" if relative and before.startswith("ablation ") else origin


def overlay_settings(name: str, kind: str, task: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dotted settings that an overlay gives for a task over those before it.

    Raises `UsageError` for an unknown overlay.
    """
    given = _given(name, kind, task)
    return {setting: _relative(setting, value, before.get(setting)) for setting, value in given.items()}


@functools.lru_cache(4096)
def _given(name: str, kind: str, task: str) -> dict[str, Any]:
    return {setting: value for _, layer in _overlay(name, kind, task) for setting, value in layer.items()}


_BOUND = re.compile(r"([<>]=)(\d+(?:\.\d+)?(?:e-?\d+)?)")


def _relative(name: str, value: Any, before: Any) -> Any:
    """Return a value that an overlay gives in terms of the one before it.

    `random:*` is the backbone that was named before with other weights, `*-early` a relative of it. `>=5000` is at
    least that many, so that an overlay lengthens short runs and leaves long ones, and `<=0.001` at most that much; a 0,
    which switches a thing off, stays.
    """
    if name == "model.backbone" and isinstance(value, str):
        return _relative_backbone(value, before or RunConfig().model.backbone)
    bound = _BOUND.fullmatch(value) if isinstance(value, str) else None
    if bound is None:
        return value
    if before is None:
        before = functools.reduce(getattr, name.split("."), RunConfig())
    limit = float(bound[2])
    kept = max(before, limit) if bound[1] == ">=" else min(before, limit)
    return type(before)(kept) if before else before


def _relative_backbone(value: str, before: str) -> str:
    """Return a trunk named in terms of another: its star is that one's model, what it leaves open that one's too."""
    if "*" not in value:
        return value
    wanted, named = parse_backbone(value), parse_backbone(before)
    weights = named.weights if wanted.weights == "trained" else wanted.weights
    blocks = named.blocks if wanted.blocks is None else wanted.blocks
    return str(BackboneName(wanted.model.replace("*", named.model), weights, blocks))


_RESUME_MAY_CHANGE = (
    "optim.steps", "optim.micro_batch_size", "eval.", "checkpoint.", "device", "precision", "data.memory_gb",
)  # fmt: skip
_RESUME_KEEPS = ("eval.target_rule", "checkpoint.best")
"""Of these, what decides what is trained."""


def override(config: RunConfig, settings: Iterable[str], flags: Mapping[str, Any]) -> RunConfig:
    """Change settings of a run that is resumed; raises `UsageError` for those that would make it another run."""
    changes = dict(map(_parse_assignment, settings)) | dict(flags)
    for name in changes:
        if not name.startswith(_RESUME_MAY_CHANGE) or name in _RESUME_KEEPS:
            raise UsageError(f"a resumed run keeps its {name}; start a new run to change it")
    layers = [("checkpoint", _flat(config.to_dict())), ("command line", changes)]
    return _merge(layers).config
