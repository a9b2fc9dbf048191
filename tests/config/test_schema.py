"""The JSON schema of presets accepts all that ship, and refuses what lamo refuses."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lamo_core.config import RunConfig, field_names
from lamo_core.settings.schema import preset_schema
from lamo_tui.cli.app import run

SCHEMA = preset_schema()
FILES = sorted((Path(__file__).parents[2] / "presets").rglob("*.toml"))
_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def problems(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Return what of a value does not fit a schema, as far as ours uses the language."""
    if "$ref" in schema:
        target: Any = SCHEMA
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return problems(value, target, where)
    if "anyOf" in schema:
        every = [problems(value, one, where) for one in schema["anyOf"]]
        return [] if any(not found for found in every) else every[0]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    boolean = isinstance(value, bool) and kind != "boolean"
    if kind is not None and (boolean or not isinstance(value, _KINDS[kind])):
        return [f"{where}: {value!r} is no {kind}"]
    return _inside(value, schema, where)


def _inside(value: Any, schema: dict[str, Any], where: str) -> list[str]:
    """Return what does not fit of a value of the right type."""
    kind = schema.get("type")
    if kind in ("integer", "number"):
        below = value < schema.get("minimum", value) or value <= schema.get("exclusiveMinimum", value - 1)
        return [f"{where}: {value!r} is out of range"] if below or value > schema.get("maximum", value) else []
    if kind == "string" and not re.search(schema.get("pattern", ""), value):
        return [f"{where}: {value!r} does not match"]
    if kind == "array":
        return [one for item in value for one in problems(item, schema["items"], where)]
    found = []
    for key, item in value.items() if kind == "object" else ():
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
        if inner is False:
            found.append(f"{where}.{key} is unknown")
        elif inner is not True:
            found += problems(item, inner, f"{where}.{key}")
    return found


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_presets_that_ship_fit(path: Path) -> None:
    assert problems(tomllib.loads(path.read_text()), SCHEMA) == []


def test_a_whole_config_fits_and_every_setting_is_known() -> None:
    assert problems(RunConfig().to_dict(), SCHEMA) == []
    for name in field_names():
        part = SCHEMA["$defs"]["settings"]
        for key in name.split("."):
            part = part["properties"][key]
        assert "default" in part, name
        assert part.get("description", "").endswith("."), name


@pytest.mark.parametrize(
    "text",
    [
        "[optim]\nstepz = 3",
        "[optim]\nsteps = 0",
        '[optim]\nsteps = "many"',
        '[model]\nadapter = "rola"',
        'method = "lemo"',
        "[when.discrete.optim]\nstepz = 3",
        "seed = true",
    ],
)
def test_what_lamo_refuses_does_not_fit(text: str) -> None:
    assert problems(tomllib.loads(text), SCHEMA)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["presets", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(SCHEMA))
