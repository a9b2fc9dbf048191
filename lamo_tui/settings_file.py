"""Writing the settings file: one value at a time, with everything else in it left as it is, comments too."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamo_core.errors import StorageError
from lamo_core.files import write_bytes
from lamo_core.presets import read_toml

Place = tuple[str, ...]
"""Names of the tables that a value is in, and its own: `("theme",)`, `("keymap", "runs.stop")`."""
Value = str | bool | None
"""None takes the entry out."""

_HEAD = "# Settings of lamo; `lamo settings` says what there is.\n"
_TABLE = re.compile(r"\s*\[")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SIMPLE = r"(?:\"[^\"\\]*\"|'[^']*'|[A-Za-z0-9_.+-]+)"
"""A value on one line."""


def write_settings(changes: Mapping[Place, Value], path: Path) -> None:
    """Change entries of the file, atomically; raises `UsageError` if it is damaged, `StorageError` if it is protected.

    A form that is not understood line by line is written anew from its values; only then comments are lost.
    """
    path = path.resolve()  # a link stays one
    exists = path.exists()
    before = read_toml(path) if exists else {}
    wanted = _merged(before, changes)
    if _filled(wanted) == _filled(before):
        return
    if exists and not path.stat().st_mode & 0o222:
        raise StorageError(f"could not write {path}: it is read-only; allow it with: chmod u+w {path}")
    lines = path.read_text(encoding="utf-8-sig").splitlines() if exists else _HEAD.splitlines()
    for place, value in changes.items():
        _edit(lines, place, value)
    edited = "\n".join(lines) + "\n"
    if not _means(edited, wanted):
        edited = _HEAD + _dump(wanted)
    write_bytes(path, edited.encode(), "LAMO_CONFIG=FILE")


def _merged(values: Mapping[str, Any], changes: Mapping[Place, Value]) -> dict[str, Any]:
    merged = dict(values)
    for place, value in changes.items():
        table = merged
        for name in place[:-1]:
            inner = table.get(name)
            table[name] = dict(inner) if isinstance(inner, dict) else {}
            table = table[name]
        if value is None:
            table.pop(place[-1], None)
        else:
            table[place[-1]] = value
    return merged


def _means(text: str, wanted: Mapping[str, Any]) -> bool:
    """Return whether a text says just that; a table without entries counts as none."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return _filled(found) == _filled(wanted)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != {}}


def _edit(lines: list[str], place: Place, value: Value) -> None:
    """Change, add or take out the line of an entry."""
    begin, end = _region(lines, place[:-1])
    name = re.escape(place[-1])
    entry = re.compile(rf"(\s*(?:{name}|\"{name}\"|'{name}')\s*=\s*){_SIMPLE}(\s*(?:#.*)?)$")
    at = next((number for number in range(begin, end) if entry.match(lines[number])), None)
    if at is not None:
        if value is None:
            del lines[at]
        else:
            lines[at] = entry.sub(lambda found: found[1] + _literal(value) + found[2], lines[at])
        return
    if value is None:
        return
    if place[:-1] and begin > end:
        lines += [""] * bool(lines) + [f"[{place[0]}]"]
        end = len(lines)
    while end > begin and end > 0 and not lines[end - 1].strip():
        end -= 1
    lines.insert(end, f"{_name(place[-1])} = {_literal(value)}")


def _region(lines: list[str], table: Place) -> tuple[int, int]:
    """Return where the entries of a table begin and end; begin lies behind the end where there is no such table."""
    heads = [number for number, line in enumerate(lines) if _TABLE.match(line)]
    if not table:
        return 0, heads[0] if heads else len(lines)
    title = re.compile(rf"\s*\[\s*{re.escape(table[0])}\s*\]\s*(#.*)?$")
    at = next((number for number in heads if title.match(lines[number])), None)
    if at is None:
        return len(lines) + 1, len(lines)
    return at + 1, next((number for number in heads if number > at), len(lines))


def _dump(values: Mapping[str, Any], table: Place = ()) -> str:
    """Return values as TOML, tables behind what is no table."""
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    text = "".join(f"{_name(name)} = {_literal(value)}\n" for name, value in plain.items())
    for name, value in values.items():
        if isinstance(value, dict):
            inner = (*table, name)
            text += f"\n[{'.'.join(map(_name, inner))}]\n{_dump(value, inner)}"
    return text


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) else _literal(name)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(_escaped(letter) for letter in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_name(name)} = {_literal(inner)}" for name, inner in value.items()) + "}"
    return str(value)  # numbers and dates are written as Python writes them


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
