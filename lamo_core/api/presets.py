"""Presets and settings for Python: what there is to train, and what it resolves to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from lamo_core.engine.run_spec import RunSpec
from lamo_core.settings.presets import Resolved, preset_names
from lamo_core.shares import parse_share

Settings = Mapping[str, Any] | Iterable[str]
"""Overrides: `{"optim.steps": 200}`, or texts such as `optim.steps=200`."""


def list_presets(kind: Literal["presets", "methods", "ablations"] = "presets") -> list[str]:
    """Return the names of presets, methods or ablations.

    Of every task there are presets with any share of its data: `mujoco-hopper-3pct` is one though no list names it.
    """
    return preset_names("" if kind == "presets" else kind)


def resolve(
    preset: str | None = None,
    *,
    method: str | None = None,
    ablations: Iterable[str] = (),
    file: str | PathLike[str] | None = None,
    settings: Settings = (),
    seed: int | None = None,
    ratio: float | str | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> Resolved:
    """Return the complete config of a run, and where each of its values comes from.

    Args:
        preset: A name of `list_presets`, or `TASK-NNpct` with any share of the task's data.
        method: A name of `list_presets("methods")`; LaMo if none is given.
        ablations: Names of `list_presets("ablations")`, laid one over the other.
        file: A TOML file over preset, method and ablations.
        settings: Values over those, such as `{"optim.steps": 200}`.
        seed: Drives choice of data, weights and order of windows.
        ratio: Share of the data's episodes, such as 0.01 or "1%".
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32" or "bf16".

    Returns:
        `.config`, a frozen `RunConfig`, and `.origins`, a text for every dotted setting.

    Raises:
        UsageError: A name, key or value that there is not; the message suggests the nearest.
    """
    return run_spec(preset, method, ablations, file, settings, seed, ratio, device, precision).resolve()


def run_spec(
    preset: str | None,
    method: str | None,
    ablations: Iterable[str],
    file: str | PathLike[str] | None,
    settings: Settings,
    seed: int | None,
    ratio: float | str | None,
    device: str | None,
    precision: str | None,
) -> RunSpec:
    """Return what `resolve` and `train` are told, as one value; raises `UsageError` for a share that is none."""
    return RunSpec(
        preset,
        method,
        _names(ablations),
        None if file is None else Path(file),
        assignments(settings),
        seed,
        parse_share(ratio) if isinstance(ratio, str) else ratio,
        device,
        precision,
    )


def assignments(settings: Settings) -> tuple[str, ...]:
    """Return settings as `--set` takes them."""
    if isinstance(settings, Mapping):
        return tuple(f"{name}={_text(value)}" for name, value in settings.items())
    return _names(settings)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return repr(value) if isinstance(value, float) else str(value)
