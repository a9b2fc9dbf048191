"""Writing the settings file: one value at a time, with everything else in it left as it is, comments too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tomlkit import TOMLDocument, document, parse, table
from tomlkit import comment as a_comment
from tomlkit.container import Container
from tomlkit.items import AbstractTable

from lamo_core.errors import StorageError
from lamo_core.files import write_bytes
from lamo_core.settings.presets import read_toml

Place = tuple[str, ...]
"""Names of the tables that a value is in, and its own: `("theme",)`, `("keymap", "runs.stop")`."""
Value = str | bool | None
"""None takes the entry out."""

_HEAD = "Settings of lamo; `lamo settings` says what there is."


def write_settings(changes: Mapping[Place, Value], path: Path) -> None:
    """Change entries of the file, atomically; raises `UsageError` if it is damaged, `StorageError` if protected."""
    path = path.resolve()  # a link stays one
    exists = path.exists()
    settings = _read(path) if exists else _empty()
    before = settings.unwrap()
    for place, value in changes.items():
        _change(settings, place, value)
    if settings.unwrap() == before:
        return
    if exists and not path.stat().st_mode & 0o222:
        raise StorageError(f"could not write {path}: it is read-only; allow it with: chmod u+w {path}")
    write_bytes(path, settings.as_string().encode(), "LAMO_CONFIG=FILE")


def _read(path: Path) -> TOMLDocument:
    read_toml(path)  # says what is wrong with it in a sentence
    return parse(path.read_text(encoding="utf-8-sig"))


def _empty() -> TOMLDocument:
    settings = document()
    settings.add(a_comment(_HEAD))
    return settings


def _change(settings: TOMLDocument, place: Place, value: Value) -> None:
    inside: TOMLDocument | Container | AbstractTable = settings
    for name in place[:-1]:
        inner = inside.get(name)
        if not isinstance(inner, AbstractTable | Container):
            if value is None:
                return
            inside[name] = table()
            inner = inside[name]
        assert isinstance(inner, AbstractTable | Container)
        inside = inner
    if value is not None:
        inside[place[-1]] = value
    elif place[-1] in inside:
        del inside[place[-1]]
