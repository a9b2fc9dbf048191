"""The folder of sets that came from elsewhere: fetched, converted or imported, each in a folder of its own.

`<data>/<source>/<name>/` holds `card.json` and either `set.lamovec`, or `set.lamolog` with one file of frames per
episode. A folder appears under its name only when it is whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.data.source_names import PUBLISHED
from lamo_core.errors import DamagedDataError, MissingError, StorageError, UsageError
from lamo_core.files import write_bytes
from lamo_core.places import DATA_ELSEWHERE, data_dir
from lamo_core.system_parts import try_lock
from lamo_core.untrusted.parsing import parse_json

SOURCES = ("imported", *sorted(PUBLISHED, reverse=True))
"""The folders of sets, by where they are from."""
CARD, VECTORS, LOG = "card.json", "set.lamovec", "set.lamolog"
_BUILDING = ".building"
_MAX_CARD_BYTES = 4 * 2**20


@dataclass(frozen=True)
class ReceivedSet:
    """A set in the folder."""

    source: str
    name: str
    folder: Path

    @property
    def path(self) -> Path:
        """The set's main file."""
        vectors = self.folder / VECTORS
        return vectors if vectors.exists() else self.folder / LOG

    @property
    def is_vectors(self) -> bool:
        """Whether the observations are vectors, not frames."""
        return self.path.name == VECTORS

    def frames(self, index: int) -> Path:
        """Return the file of frames of one episode."""
        return self.folder / f"{index}.frames"

    def card(self) -> dict[str, Any]:
        """Return the card; raises `DataError` when it is damaged."""
        return read_card_file(self.folder / CARD, self.name, again(self.source, self.name))

    def bytes(self) -> int:
        """Return the room that the set takes on the disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())


def read_card_file(path: Path, name: str, advice: str) -> dict[str, Any]:
    """Return the card of set `name`; raises a `DataError` that ends with `advice` when it is damaged."""
    try:
        with open(path, "rb") as file:
            card = parse_json(file.read(_MAX_CARD_BYTES))
    except (OSError, ValueError) as error:
        raise DamagedDataError(f"the card of {name} cannot be read", advice) from error
    if not isinstance(card, dict) or not _is_sound(card):
        raise DamagedDataError(f"the card of {name} is damaged", advice)
    return card


def _is_sound(card: dict[str, Any]) -> bool:
    """Return whether a card holds what lists show: names, counts and the figures of its episodes."""
    counts = [card.get(name) for name in ("episodes", "transitions", "time_outs", "log_bytes")]
    summaries = [card.get(name) for name in ("returns", "lengths")]
    if not isinstance(card.get("task"), str) or not all(isinstance(one, dict) and "mean" in one for one in summaries):
        return False
    figures = [figure for summary in summaries for figure in summary.values()]  # type: ignore[union-attr]
    whole = all(type(count) is int and 0 <= count < 2**53 for count in counts)
    return whole and all(isinstance(figure, int | float) for figure in figures)


def get_command(source: str, name: str) -> str:
    """Return the command that brings a set here."""
    return f"lamo data import {name}" if source == "imported" else f"lamo data get {name} --source {source}"


def again(source: str, name: str) -> str:
    """Return the advice for a damaged set."""
    if source == "imported":
        return f"delete it with `lamo data rm {name}` and import it again"
    return f"delete it with `lamo data rm {name}` and get it again with `{get_command(source, name)}`"


def received_folder(source: str, name: str) -> Path:
    """Return where a set lies, or would; raises `UsageError` for a name that is none."""
    parts = name.split("/")
    if len(name) > 150 or not all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", part) for part in parts):
        raise UsageError(f"{name[:80]!r} cannot be the name of a data set; `lamo data list` shows what is here")
    return data_dir().joinpath(source, *parts)


def find_received(source: str, name: str) -> ReceivedSet | None:
    """Return a set if it is here."""
    folder = received_folder(source, name)
    return ReceivedSet(source, name, folder) if (folder / CARD).is_file() else None


def require_received(source: str, name: str) -> ReceivedSet:
    """Return a set; raises `MissingError` that names the command which gets it."""
    found = find_received(source, name)
    if found is None:
        raise MissingError(
            f"the set {name} of {source} is not on this machine; get it with `{get_command(source, name)}`"
        )
    return found


def received_sets() -> list[ReceivedSet]:
    """Return every set that is here, sorted by source and name."""
    found = []
    for source in SOURCES:
        root = data_dir() / source
        for card in sorted(root.rglob(CARD)):
            name = card.parent.relative_to(root).as_posix()
            if not name.startswith(_BUILDING):
                found.append(ReceivedSet(source, name, card.parent))
    return found


@contextmanager
def building(source: str, name: str) -> Iterator[Path]:
    """Give a folder to fill; it gets the set's name when the block ends well, over a set that was there.

    Raises `UsageError` while another process fills it, `StorageError`.
    """
    target = received_folder(source, name)
    folder = data_dir() / source / f"{_BUILDING}-{name.replace('/', '--')}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with open(folder.with_name(folder.name + ".lock"), "wb") as lock:
            _lock(lock.fileno(), name)
            shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
            folder.mkdir()
            try:
                yield folder
                _replace(folder, target)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"could not write {folder}: {error.strerror or error}; free space or choose another place with "
            f"{DATA_ELSEWHERE}"
        ) from error


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write the card of a set that is being built; raises `StorageError`."""
    write_bytes(folder / CARD, json.dumps(card, indent=1).encode() + b"\n", DATA_ELSEWHERE)


def remove_received(found: ReceivedSet) -> int:
    """Delete a set and return the freed bytes; raises `StorageError`."""
    freed = found.bytes()
    try:
        shutil.rmtree(found.folder)
    except OSError as error:
        raise StorageError(f"could not delete {found.folder}: {error.strerror or error}; delete it yourself") from error
    return freed


def _lock(descriptor: int, name: str) -> None:
    try:
        try_lock(descriptor)
    except OSError as error:
        raise UsageError(f"another process is unpacking {name}; wait for it, or stop it") from error


def _replace(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        old = folder.with_name(folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
        os.replace(folder, target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(folder, target)
