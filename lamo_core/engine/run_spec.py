"""Run specification: what a new run is made from, as `lamo train` is told it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.settings.presets import Resolved, resolve

METHOD = RunConfig().method
"""The method of presets that name none."""


@dataclass(frozen=True)
class RunSpec:
    """What a new run is made from; what is None or empty is left to the preset."""

    preset: str | None = None
    method: str | None = None
    """An overlay of presets/methods."""
    ablations: tuple[str, ...] = ()
    """Overlays of presets/ablations, one over the other."""
    file: Path | None = None
    """A TOML file over preset, method and ablations."""
    settings: tuple[str, ...] = ()
    """Overrides `name=value`, such as `optim.steps=100`, later ones over earlier ones."""
    seed: int | None = None
    ratio: float | None = None
    """Share of the data's episodes."""
    device: str | None = None
    precision: str | None = None
    name: str | None = None

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that fields of their own give, by dotted name; they count most."""
        fields = {"data.ratio": self.ratio, "seed": self.seed, "device": self.device, "precision": self.precision}
        return {name: value for name, value in {**fields, "name": self.name}.items() if value is not None}

    def resolve(self) -> Resolved:
        """Return the complete config and where its values come from; raises `UsageError`."""
        return resolve(self.preset, self.ablations, self.file, self.settings, self.overrides, self.method)

    def to_argv(self) -> list[str]:
        """Return the words of the `lamo train` command that makes the same run."""
        words = ["lamo", "train"]
        for option, value in (("preset", self.preset), ("method", self.method), ("config", self.file)):
            words += [] if value is None else [f"--{option}", str(value)]
        for ablation in self.ablations:
            words += ["--ablation", ablation]
        for name, value in self.overrides.items():
            words += ["--set", f"name={value}"] if name == "name" else [f"--{name.rpartition('.')[2]}", str(value)]
        for setting in self.settings:
            words += ["--set", setting]
        return words

    def create(self, root: Path | None) -> RunDirectory:
        """Make the folder of the run below `root`; raises `UsageError`, `StorageError`."""
        resolved = self.resolve()
        return create_run(root, resolved.config, resolved.origins, self.to_argv())

    def with_seeds(self, seeds: Iterable[int]) -> list[RunSpec]:
        """Return one run for each seed."""
        return [replace(self, seed=seed) for seed in seeds]

    def with_setting(self, name: str, text: str) -> RunSpec:
        """Return a run with one more override in the place of earlier ones; raises `UsageError` if it cannot be."""
        others = tuple(setting for setting in self.settings if setting.partition("=")[0] != name)
        changed = replace(self, settings=(*others, f"{name}={text}"))
        changed.resolve()
        return changed

    def to_record(self) -> dict[str, Any]:
        """Return plain values for a file; `file` is left out, as it may change."""
        return {
            "preset": self.preset,
            "method": self.method or METHOD,
            "ablations": list(self.ablations),
            "settings": list(self.settings),
            "flags": self.overrides,
        }


def spec_of(record: Mapping[str, Any]) -> RunSpec:
    """Return what `RunSpec.to_record` wrote; raises `TypeError`, `ValueError` or `LookupError` for anything else."""
    flags = dict(record["flags"])
    ratio, seed = flags.pop("data.ratio", None), flags.pop("seed", None)
    texts = {name: flags.pop(name, None) for name in ("device", "precision", "name")}
    if flags or not all(isinstance(text, str | None) for text in (record["preset"], record["method"], *texts.values())):
        raise ValueError("it is no specification of a run")
    if not isinstance(ratio, float | int | None) or not (seed is None or type(seed) is int):
        raise ValueError("its share of the data or its seed is not a number")
    method = None if record["method"] == METHOD else record["method"]
    return RunSpec(
        preset=record["preset"],
        method=method,
        ablations=_texts(record["ablations"]),
        settings=_texts(record["settings"]),
        seed=seed,
        ratio=ratio,
        **texts,
    )


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError("these are no texts")
    return tuple(values)
