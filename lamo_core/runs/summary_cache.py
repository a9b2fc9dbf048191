"""Summaries of runs that have ended, kept in the cache folder so that a large folder is listed faster the next time.

Runs of one folder have most groups of settings in common: each is kept once, checked once, and shared by the summaries.
All of it can be made again from the runs; what is damaged, foreign or too old is passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.errors import StorageError
from lamo_core.files import write_bytes
from lamo_core.places import cache_dir
from lamo_core.runs.directory import is_sound
from lamo_core.runs.labels import Origins
from lamo_core.runs.records import decode, encode
from lamo_core.runs.status import ENDED, Status, parse_status, status_values
from lamo_core.untrusted.parsing import parse_json

_VERSION = 2
_MOST_BYTES, _MOST_FOLDERS = 64 << 20, 16
_WORTH_WRITING = 50
"""Runs that are news."""

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Ended:
    """What a list shows of a run that has ended, and the stamp that its folder had then."""

    stamp: Stamp
    name: str
    created: float
    config: dict[str, Any]
    origins: Origins
    status: Status


class Remembered:
    """The runs of one folder, by their ids."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rows: dict[str, list[Any]] = {}
        """As the file holds them: stamp, name, time of creation, config, origins, status.

        In the config there is in place of a group of settings its number among the parts, in a list of its own; in
        place of the origins there is theirs."""
        self._parts: list[Any] = []
        self._sound: set[tuple[str, int]] = set()
        self._origins: dict[int, Origins] = {}

    def load(self) -> None:
        """Read what was kept."""
        path = _file_of(self._root)
        with suppress(OSError):
            if path.stat().st_size > _MOST_BYTES:
                return
            values = decode(path.read_bytes()) or {}
            rows, parts = values.get("runs"), values.get("parts")
            known = (values.get("version"), values.get("folder")) == (_VERSION, str(self._root))
            if known and isinstance(rows, dict) and isinstance(parts, list):
                self._parts = parts
                self._rows = {run_id: row for run_id, row in rows.items() if isinstance(row, list) and len(row) == 6}

    def find(self, run_id: str, stamp: Stamp) -> Ended | None:
        """Return what is known of a run whose folder has this stamp; None when that is nothing."""
        row = self._rows.get(run_id)
        if row is None or row[0] != [*stamp]:
            return None
        _, name, created, groups, origins, status = row
        if not (isinstance(name, str) and isinstance(created, float) and isinstance(status, dict)):
            return None
        config, where = self._config(groups), self._origin(origins)
        if config is None or where is None:
            return None
        known = parse_status(status)
        if known.state not in ENDED:
            return None
        return Ended(stamp, name, created, config, where, known)

    def keep(self, runs: Mapping[str, Ended]) -> None:
        """Keep these and nothing else, if enough of them are news.

        That it cannot be written is no reason to trouble anybody.
        """
        news = sum(run_id not in self._rows or self._rows[run_id][0] != [*run.stamp] for run_id, run in runs.items())
        if news < _WORTH_WRITING:
            return
        numbers: dict[str, int] = {}
        self._rows = {
            run_id: [
                [*run.stamp], run.name, run.created, _numbered(run.config, numbers),
                _number(run.origins.to_record(), numbers), _told(run.status),
            ]
            for run_id, run in runs.items()
        }  # fmt: skip
        self._parts, self._sound, self._origins = [parse_json(part) for part in numbers], set(), {}
        path = _file_of(self._root)
        with suppress(StorageError, OSError):
            values = {"version": _VERSION, "folder": str(self._root), "parts": self._parts, "runs": self._rows}
            content = encode(values).encode()
            if len(content) <= _MOST_BYTES:
                write_bytes(path, content, "LAMO_CACHE=FOLDER")
            oldest_first = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
            for file in oldest_first[:-_MOST_FOLDERS]:
                file.unlink(missing_ok=True)

    def _config(self, groups: Any) -> dict[str, Any] | None:
        """Return the config that a row's groups stand for; None when it is none that a run could have."""
        if not isinstance(groups, dict):
            return None
        config = {}
        for name, value in groups.items():
            if not isinstance(value, list):
                config[name] = value
                continue
            number: Any = value[0] if len(value) == 1 else None
            if not self._is_part(number):
                return None
            config[name] = self._parts[number]
            if (name, number) not in self._sound:
                if not (isinstance(config[name], dict | list) and is_sound({name: config[name]})):
                    return None
                self._sound.add((name, number))
        plain = {name: value for name, value in config.items() if not isinstance(groups[name], list)}
        return config if is_sound(plain) else None

    def _origin(self, number: Any) -> Origins | None:
        if not self._is_part(number):
            return None
        if number not in self._origins:
            self._origins[number] = Origins.from_record(self._parts[number])
        return self._origins[number]

    def _is_part(self, number: Any) -> bool:
        return type(number) is int and 0 <= number < len(self._parts)


def _numbered(config: Mapping[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    """Return a config with numbers in place of its groups; new ones are added to `numbers`, as text."""
    return {
        name: [_number(value, numbers)] if isinstance(value, dict | list) else value for name, value in config.items()
    }


def _number(value: Any, numbers: dict[str, int]) -> int:
    return numbers.setdefault(encode(value), len(numbers))


def _told(status: Status) -> dict[str, Any]:
    """Return the values that are not what `parse_status` takes where it finds none."""
    return {name: value for name, value in status_values(status).items() if value not in (None, "", [])}


def _file_of(root: Path) -> Path:
    name = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_dir() / "lists" / f"{name}.json"
