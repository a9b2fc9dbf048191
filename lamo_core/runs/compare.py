"""What differs between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.settings.unused import idle_settings


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings under dotted names, such as `optim.batch_size`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def effective_settings(config: RunConfig) -> dict[str, Any]:
    """Return the settings that are not the defaults and that a run reads, by dotted name."""
    idle = idle_settings(config)
    rows = config_difference([config.to_dict(), RunConfig().to_dict()])
    return {name: value for name, (value, _) in rows.items() if name not in idle}


def config_difference(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return the settings that are not equal in all configs: dotted name to one value per config.

    A setting that a config of another version does not know has the value None there.
    """
    flats = [flatten(config) for config in configs]
    names = dict.fromkeys(name for flat in flats for name in flat)
    rows = {name: tuple(flat.get(name) for flat in flats) for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}
