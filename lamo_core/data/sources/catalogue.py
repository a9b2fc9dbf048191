"""Which published data sets there are and where they are fetched from: `sources.toml`, and the user's file over it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lamo_core.config import unknown_key
from lamo_core.data.sources.download import Resource
from lamo_core.errors import MissingError, UsageError
from lamo_core.places import sources_path
from lamo_core.settings.presets import read_toml

_SET_KEYS = {"task", "path", "sha256", "bytes", "mirrors"}


@dataclass(frozen=True)
class PublishedSet:
    """One file of D4RL."""

    name: str
    task: str
    resource: Resource


def published_sets() -> dict[str, PublishedSet]:
    """Return the sets of D4RL by name; raises `UsageError` when the user's file is wrong."""
    table = _catalogue()["d4rl"]
    return {name: _published_set(name, values, table) for name, values in table["sets"].items()}


def resource(source: str, name: str, largest: int, **places: str) -> Resource:
    """Return the file that `places` picks from the mirrors of `source`: `{game}` and so on in their addresses."""
    folder = _FOLDER.get()
    if folder is not None:
        return Resource(name, _in_folder(folder, places), largest=largest)
    return Resource(name, _addresses(_catalogue()[source]["mirrors"], places), largest=largest)


def is_withdrawn(source: str) -> bool:
    """Return whether a source's own addresses are closed and neither the user's file nor a folder names others."""
    return bool(_catalogue()[source].get("withdrawn", False)) and _FOLDER.get() is None


@contextmanager
def taken_from(folder: Path | None) -> Iterator[None]:
    """Take files from a folder in the place of addresses."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


_FOLDER: ContextVar[Path | None] = ContextVar("folder of files", default=None)


def _in_folder(folder: Path, places: Mapping[str, str]) -> tuple[str, ...]:
    """Return the address of a file in a folder, or below folders that are named as its places, such as its game.

    Raises `MissingError` where there is none.
    """
    name, wanted = unquote(places["file"]), {value for key, value in places.items() if key != "file"}
    for path in sorted(folder.rglob("*")):
        inner = set(path.relative_to(folder).parts[:-1])
        if path.name == name and path.is_file() and (not inner or wanted <= inner | set(folder.parts)):
            return (path.absolute().as_uri(),)
    raise MissingError(f"there is no file {name} in {folder}, or below in {'/'.join(sorted(wanted))}; check the folder")


def licence(source: str) -> str:
    """Return the licence of a source's data, for cards."""
    return str(_catalogue()[source]["licence"])


def _published_set(name: str, values: Mapping[str, Any], table: Mapping[str, Any]) -> PublishedSet:
    path = values["path"]
    urls = _addresses(values.get("mirrors", table["mirrors"]), {"path": path, "file": path.rpartition("/")[2]})
    digest, size = values.get("sha256", ""), values.get("bytes", 0)
    return PublishedSet(name, values["task"], Resource(f"{name} of D4RL", urls, sha256=digest, size=size))


def _addresses(mirrors: list[str], places: Mapping[str, str]) -> tuple[str, ...]:
    # Not str.format, which also reaches attributes of what it formats.
    return tuple(re.sub(r"\{(\w+)\}", lambda match: places.get(match[1], match[0]), url) for url in mirrors)


def _catalogue() -> dict[str, Any]:
    tables = read_toml(Path(__file__).with_name("sources.toml"))
    keys = {source: set(table) for source, table in tables.items()}
    path = sources_path()
    if path is not None:
        _overlay(tables, read_toml(path), keys, path)
    _check_sets(tables["d4rl"]["sets"], path)
    return tables


def _overlay(tables: dict[str, Any], changes: Mapping[str, Any], keys: Mapping[str, set[str]], path: Path) -> None:
    """Change tables as the user's file says; `keys` are what it may say of each source."""
    for source, values in changes.items():
        if source not in keys:
            raise unknown_key(source, list(keys), f"table in {path},")
        _check_table(source, values, path)
        for key, value in values.items():
            if key not in keys[source]:
                raise unknown_key(key, sorted(keys[source]), f"key of [{source}] in {path},")
            if key == "sets":
                _check_table(f"{source}.sets", value, path)
                for name, one in value.items():
                    _check_table(f"{source}.sets.{name}", one, path)
                    tables[source]["sets"][name] = {**tables[source]["sets"].get(name, {}), **one}
            else:
                _check_value(key, value, path)
                tables[source][key] = value
                if key == "mirrors":
                    tables[source].pop("withdrawn", None)


def _check_table(name: str, value: Any, path: Path) -> None:
    if not isinstance(value, Mapping):
        raise UsageError(f"{path}: {name} is a table, [{name}], not {str(value)[:40]!r}")


def _check_sets(sets: Mapping[str, Any], path: Path | None) -> None:
    for name, values in sets.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", name):
            raise UsageError(f"{path}: {name!r} cannot be the name of a set; use lowercase letters, digits, - and _")
        for key, value in values.items():
            if key not in _SET_KEYS:
                raise unknown_key(key, sorted(_SET_KEYS), f"key of [d4rl.sets.{name}] in {path},")
            _check_value(key, value, path)
        for key in ("task", "path"):
            if key not in values:
                raise UsageError(f"{path}: the set {name} lacks its {key}")


def _check_value(key: str, value: Any, path: Path | None) -> None:
    wanted = {
        "mirrors": ("a list of http, https or file addresses", _are_addresses(value)),
        "withdrawn": ("true or false", isinstance(value, bool)),
        "bytes": ("a whole number", type(value) is int and value > 0),
        "sha256": ("64 hexadecimal digits", isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{64}", value)),
    }
    what, fits = wanted.get(key, ("a text", isinstance(value, str)))
    if not fits:
        raise UsageError(f"{path}: {key} wants {what}, not {value!r}")


def _are_addresses(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(url, str) for url in value):
        return False
    try:
        return all(urlsplit(url).scheme in ("http", "https", "file") for url in value)
    except ValueError:  # such as a bracket that is not closed
        return False
