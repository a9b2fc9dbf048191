"""What LaMo is made of, as factors with levels: which of them a run has, from its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from lamo_core.settings.backbone_name import parse_backbone
from lamo_core.untrusted.parsing import parse_json

_READ: dict[str, tuple[str, Callable[[Any], str]]] = {
    "pre-training": ("model.backbone", lambda value: parse_backbone(str(value)).weights),
    "adapter": ("model.adapter", str),
    "embedding": ("model.embedding", str),
    "language loss": ("language.weight", lambda value: f"{value:g}" if value else "none"),
    "timestep embedding": ("model.timestep", lambda value: "none" if value == "none" else "yes"),
}
"""Factors by name: the setting, and the level that a value of it is."""
BASES = {
    "pre-training": "trained",
    "adapter": "lora",
    "embedding": "mlp",
    "language loss": "none",
    "timestep embedding": "none",
}
"""The level that the others of a factor are compared with."""


def factors_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the level of every factor; `settings` are an experiment's, as JSON. None of a method without a trunk."""
    found = {name: (_value(settings.get(setting)), level) for name, (setting, level) in _READ.items()}
    if any(value is None for value, _ in found.values()) or found["pre-training"][0] == "none":
        return {}
    return {name: level(value) for name, (value, level) in found.items()}


def other_settings(settings: Mapping[str, str]) -> str:
    """Return a digest of all that is no factor; of the trunk its model counts."""
    setting_names = {setting for setting, _ in _READ.values()}
    rest = {name: value for name, value in settings.items() if name not in setting_names}
    trunk = parse_backbone(str(_value(settings.get("model.backbone")))).plain
    return hashlib.sha256(json.dumps([trunk, sorted(rest.items())]).encode()).hexdigest()[:16]


def _value(text: str | None) -> Any:
    """Return a setting's value; None where it was changed during the run."""
    try:
        return None if text is None else parse_json(text)
    except ValueError:
        return None
