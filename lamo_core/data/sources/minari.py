"""Minari data sets: those in the local Minari folder as they are, and others from Minari's servers."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from lamo_core.data.checks.compatibility import Held, require_suit
from lamo_core.data.sandbox.sandbox import read_isolated
from lamo_core.data.sources.catalogue import licence, resource
from lamo_core.data.sources.download import MAX_BYTES, Progress, Resource, download
from lamo_core.data.sources.minari_spaces import DATA, METADATA, METADATA_BYTES, MinariFacts, read_metadata
from lamo_core.data.sources.source import Source
from lamo_core.data.store.local import ReceivedSet, building, find_received, require_received
from lamo_core.errors import DamagedDataError, DataError, MissingError, TaskMismatchError, UsageError
from lamo_core.places import data_dir
from lamo_core.tasks.flattening import size_of
from lamo_core.tasks.registry import get_task

NAME = "minari"
_CONVERSION = "2"
"""Grows when sets are converted in another way: 2 added goals to what is observed."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*-v\d{1,4}")


def minari_root() -> Path:
    """Return Minari's own folder of data sets: `MINARI_DATASETS_PATH`, else .minari/datasets in the home folder."""
    return Path(os.environ.get("MINARI_DATASETS_PATH") or Path.home() / ".minari" / "datasets")


def check_name(name: str) -> str:
    """Return a name of the form that Minari's have; raises `UsageError`."""
    if len(name) > 150 or not _NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} is no name of a Minari data set; they are such as D4RL/kitchen/complete-v2")
    return name


def minari_resources(name: str) -> dict[str, Resource]:
    """Return the files of a data set on Minari's servers."""
    group, _, rest = check_name(name).partition("/")
    places = {"id": name, "group": group, "rest": rest or group}
    return {
        file: resource(NAME, f"{file} of {name}", largest, file=file, **places)
        for file, largest in ((METADATA, METADATA_BYTES), (DATA, MAX_BYTES))
    }


def get_minari(name: str, progress: Progress) -> dict[str, Any]:
    """Fetch a data set, convert it and return its card; one in Minari's own folder is only converted.

    Goes on from an earlier interruption. Raises `MissingError`, `DataError`, `StorageError`, `UsageError`.
    """
    local = minari_root() / check_name(name) / "data"
    if lies_at(local):
        require_described_suit(read_metadata(local), name)
        return _convert(local, name, [str(local)], progress)
    folder = data_dir() / "downloads" / NAME / name.replace("/", "--")
    resources = minari_resources(name)
    try:
        for file, one in resources.items():
            if not (folder / file).exists():
                download(one, folder / file, progress)
            # what cannot be used is told before gigabytes of it are fetched
            require_described_suit(read_metadata(folder), name)
        card = _convert(folder, name, [one.urls[0] for one in resources.values()], progress)
    except (DataError, TaskMismatchError) as error:
        _forget(folder, damaged=isinstance(error, DamagedDataError))
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return card


def require_minari(name: str, progress: Progress | None) -> ReceivedSet:
    """Return a set that is here, converting one from Minari's own folder at first use or when it has changed.

    Raises `MissingError` that names the command which gets it.
    """
    folder = minari_root() / check_name(name) / "data"
    found = find_received(NAME, name)
    if lies_at(folder) and (found is None or found.card()["origin"].get("stamp") != _stamp(folder)):
        _convert(folder, name, [str(folder)], progress)
    return require_received(NAME, name)


def _forget(folder: Path, *, damaged: bool) -> None:
    """Delete what must be fetched anew: everything damaged, else the description alone, which may be mended there."""
    (folder / METADATA).unlink(missing_ok=True)
    if damaged or not any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def lies_at(folder: Path) -> bool:
    """Return whether a folder holds the files of a Minari data set, of its present layout or an older one."""
    return (folder / METADATA).is_file() or (folder / DATA).is_file()


def require_described_suit(described: MinariFacts, what: str) -> None:
    """Raise a `TaskMismatchError` when a data set cannot be one of its task, as far as the task is known here."""
    try:
        task = get_task(described.task)
    except (UsageError, MissingError):  # an environment that is not registered here, or no task at all
        return
    frames = described.picture != "none"
    features = 0 if frames else size_of(described.parts)
    held = Held(frames, features, described.discrete, described.actions, exact=not frames)
    require_suit(what, held, task, "`lamo data import FOLDER --task {}`")


def convert_folder(folder: Path, source: str, name: str, facts: dict[str, Any], progress: Progress | None) -> Any:
    """Turn a Minari data set's folder of files into a received set and return its card."""
    with building(source, name) as out:
        job = {"kind": "minari", "path": str(folder), "out": str(out), "facts": facts}
        return read_isolated(job, folder, progress)


def minari_facts(folder: Path, name: str, addresses: list[str]) -> dict[str, Any]:
    """Return what the card of a set made from a Minari folder says."""
    origin = {"source": NAME, "addresses": addresses, "stamp": _stamp(folder)}
    return {"name": name, "task": "", "licence": licence(NAME), "origin": origin}


def _convert(folder: Path, name: str, addresses: list[str], progress: Progress | None) -> dict[str, Any]:
    card: dict[str, Any] = convert_folder(folder, NAME, name, minari_facts(folder, name, addresses), progress)
    return card


def _stamp(folder: Path) -> str:
    """Return what changes when the files of a folder do, or what is made of them."""
    try:
        stats = [(folder / file).stat() for file in (METADATA, DATA)]
    except OSError:
        return ""
    return " ".join([_CONVERSION, *(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)])


class Minari:
    """Minari's own folder, and its servers."""

    converted_when_opened = True

    def knows(self, name: str) -> bool:
        return "/" in name

    def names(self) -> list[str]:
        return []

    def full_name(self, name: str) -> str:
        return check_name(name)

    def resources(self, name: str) -> tuple[Resource, ...]:
        return () if lies_at(minari_root() / name / "data") else tuple(minari_resources(name).values())

    def get(self, name: str, progress: Progress) -> dict[str, Any]:
        return get_minari(name, progress)

    def require(self, name: str, progress: Progress | None) -> ReceivedSet:
        return require_minari(name, progress)


SOURCE: Source = Minari()
