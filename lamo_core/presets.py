"""Find presets, inherit, overlay ablations, override; and say where each value came from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig, field_names, parse_setting, unknown_key
from lamo_core.errors import UsageError
from lamo_core.places import presets_dir

_RESERVED = {"inherits", "description", "abstract"}


@dataclass(frozen=True)
class Preset:
    """One preset file: what it says itself, before inheritance."""

    name: str
    path: Path
    description: str
    inherits: str | None
    abstract: bool
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Resolved:
    """A complete config and, for every dotted setting, the place that decided it."""

    config: RunConfig
    origins: Mapping[str, str]


def preset_names(kind: str = "") -> list[str]:
    """Return the names of all runnable presets, or of all overlays with `kind="ablations"`."""
    return sorted(name for name, path in _files(kind).items() if not load_preset(name, kind, path).abstract)


def load_preset(name: str, kind: str = "", path: Path | None = None) -> Preset:
    """Read one preset file; raises `UsageError` for an unknown name or a file that is no valid preset."""
    if path is None:
        files = _files(kind)
        if name not in files:
            known = [known for known in files if not load_preset(known, kind, files[known]).abstract]
            raise unknown_key(name, known, "ablation" if kind else "preset")
        path = files[name]
    values = read_toml(path)
    return Preset(
        name=name,
        path=path,
        description=str(values.get("description", "")),
        inherits=values.get("inherits"),
        abstract=bool(values.get("abstract", False)),
        values={key: value for key, value in values.items() if key not in _RESERVED},
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises `UsageError` naming the file and what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def resolve(
    preset: str | None = None,
    ablations: Iterable[str] = (),
    file: Path | None = None,
    settings: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Resolved:
    """Build a config: defaults < preset (inherits) < ablations < file < `settings` (`a.b=c`) < `flags`.

    Raises `UsageError` for unknown names, keys and values.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    if preset is not None:
        layers += [(f"preset {part.name}", _flat(part.values)) for part in _lineage(preset)]
        layers.append(("preset name", {"name": preset}))
    for ablation in ablations:
        layers.append((f"ablation {ablation}", _flat(load_preset(ablation, "ablations").values)))
        layers.append((f"ablation {ablation}", {"name": "+".join([*_name_of(layers), ablation])}))
    if file is not None:
        layers.append((f"file {file}", _flat(read_toml(file))))
    layers.append(("--set", dict(map(_parse_assignment, settings))))
    layers.append(("command line", dict(flags or {})))
    return _merge(layers)


def _name_of(layers: list[tuple[str, dict[str, Any]]]) -> list[str]:
    names = [values["name"] for _, values in layers if "name" in values]
    return names[-1:]


def _files(kind: str) -> dict[str, Path]:
    folder = presets_dir() / kind
    paths = folder.glob("*.toml") if kind else (p for p in folder.rglob("*.toml") if p.parent.name != "ablations")
    return {path.name.removesuffix(".toml"): path for path in sorted(paths)}


def _lineage(name: str) -> list[Preset]:
    """Return the preset and its ancestors, oldest first."""
    chain: list[Preset] = []
    parent: str | None = name
    while parent is not None:
        if parent in (part.name for part in chain):
            raise UsageError(f"preset {name!r} inherits from itself through {parent!r}")
        chain.append(load_preset(parent))
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


def _merge(layers: list[tuple[str, dict[str, Any]]]) -> Resolved:
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
            if name == "model.backbone" and isinstance(value, str):
                # an overlay says `random:*` for "the backbone that was named before, without its training"
                value = value.replace("*", group.get(leaf, RunConfig().model.backbone))
            group[leaf] = value
    return Resolved(RunConfig.from_dict(nested), origins)


_RESUME_MAY_CHANGE = ("optim.steps", "eval.", "checkpoint.", "device", "precision")


def override(config: RunConfig, settings: Iterable[str], flags: Mapping[str, Any]) -> RunConfig:
    """Change settings of a run that is resumed; raises `UsageError` for those that would make it another run."""
    changes = dict(map(_parse_assignment, settings)) | dict(flags)
    for name in changes:
        if not name.startswith(_RESUME_MAY_CHANGE):
            raise UsageError(f"a resumed run keeps its {name}; start a new run to change it")
    layers = [("checkpoint", _flat(config.to_dict())), ("command line", changes)]
    return _merge(layers).config
