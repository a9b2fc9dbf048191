"""A JSON schema of presets, so that editors complete, explain and check TOML files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from lamo_core.config import RunConfig
from lamo_core.methods import METHODS
from lamo_core.settings.field_docs import field_docs
from lamo_core.settings.strict import hints_of, ranges, words_and

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KEYS: dict[str, dict[str, Any]] = {
    "inherits": {"type": "string", "description": "Preset whose values these change."},
    "description": {"type": "string", "description": "One sentence for `lamo presets`."},
    "abstract": {"type": "boolean", "description": "Whether others inherit from it and nobody trains it."},
    "minutes": {"type": "number", "description": "About how long a run takes on two processor cores."},
    "ratios": {"type": "array", "items": {"type": "number"}, "description": "Shares of its data that lists offer."},
    "when": {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/settings"},
        "description": "Values for tasks of a kind (discrete, continuous, frames, vectors) or of a name's beginning.",
    },
}
"""What a file says beside settings."""
_BOUND = {"type": "string", "pattern": r"^[<>]=\d", "description": "At least, or at most, this much."}


def preset_schema() -> dict[str, Any]:
    """Return the schema of presets, overlays and what `--config` takes, as plain values."""
    settings = _group(RunConfig, "", field_docs(RunConfig), ranges(RunConfig), RunConfig())
    settings["properties"]["method"]["enum"] = sorted(METHODS)
    properties = {**_KEYS, **{name: {"$ref": f"#/$defs/settings/properties/{name}"} for name in settings["properties"]}}
    return {
        "$schema": DIALECT,
        "title": "A preset of lamo",
        "$defs": {"settings": settings},
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _group(cls: Any, prefix: str, docs: Mapping[str, str], bounds: Mapping[str, Any], default: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, hint in hints_of(cls).items():
        value = getattr(default, name)
        if dataclasses.is_dataclass(hint):
            properties[name] = _group(hint, f"{prefix}{name}.", docs, bounds, value)
            continue
        found = _type(hint, bounds.get(prefix + name))
        if prefix + name in docs:
            found["description"] = docs[prefix + name] + "."
        found["default"] = list(value) if isinstance(value, tuple) else value
        properties[name] = found
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _type(hint: Any, allowed: Any) -> dict[str, Any]:
    words, plain = words_and(hint)
    if words:
        return {"anyOf": [{"enum": list(words)}, _type(plain, allowed)]}
    if get_origin(plain) is Literal:
        return {"enum": list(get_args(plain))}
    if get_origin(plain) is tuple:
        return {"type": "array", "items": _type(get_args(plain)[0], allowed)}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    found: dict[str, Any] = {"type": kinds[plain]}
    if plain not in (int, float):
        return found
    if allowed is not None:
        found |= {"exclusiveMinimum" if allowed.above else "minimum": allowed.low, "maximum": allowed.high}
    return {"anyOf": [found, dict(_BOUND)]}
