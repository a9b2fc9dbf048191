"""`lamo data import`: checks a file or folder of a known form and keeps it as a set under a name of its own."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.data.checks.compatibility import Held, require_suit
from lamo_core.data.formats.action_log import MAGIC as LOG_MAGIC
from lamo_core.data.formats.action_log import read_log
from lamo_core.data.formats.vector_file import MAGIC as VECTOR_MAGIC
from lamo_core.data.formats.vector_file import read_vectors
from lamo_core.data.sources.catalogue import published_sets
from lamo_core.data.sources.d4rl import convert, task_facts
from lamo_core.data.sources.download import Progress, file_sha256
from lamo_core.data.sources.minari import convert_folder, lies_at, minari_facts, require_described_suit
from lamo_core.data.sources.minari_spaces import METADATA, read_metadata
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.data.store.cards import frames_card, vectors_card
from lamo_core.data.store.local import (
    LOG,
    VECTORS,
    ReceivedSet,
    building,
    find_received,
    received_folder,
    remove_received,
    require_received,
    write_card,
)
from lamo_core.errors import DamagedDataError, MissingError, TaskMismatchError, UnsupportedDataError, UsageError
from lamo_core.tasks.registry import get_task
from lamo_core.untrusted.parsing import parse_json

SOURCE = "imported"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_UNKNOWN_LICENCE = "not known: the file does not say"


@dataclass(frozen=True)
class _Wish:
    """What the user asked for."""

    path: Path
    name: str
    task: str
    older_layout: bool


def import_set(path: Path, name: str, task: str, progress: Progress, *, older_layout: bool = False) -> dict[str, Any]:
    """Check what lies at `path`, keep it as the set `name` and return its card.

    It may be a `.lamovec` or `.lamolog` of ours, an HDF5 file of D4RL's kind, or the folder of a Minari data set; what
    it is is told by its content. An empty name is taken from it, an empty task too where it says one. With
    `older_layout` a Minari set is read as they were before Minari 0.5. Raises `UsageError`, `TaskMismatchError`,
    `MissingError`, `DataError`, `StorageError`.
    """
    wish = _Wish(path, name, task, older_layout)
    if path.is_dir():
        return _import_minari(wish, progress)
    start = _first_bytes(path)
    if start.startswith(LOG_MAGIC):
        return _import_log(wish)
    if start.startswith(VECTOR_MAGIC):
        return _import_vectors(wish)
    if start.startswith(_HDF5_MAGIC):
        return _import_d4rl(wish, progress)
    raise UnsupportedDataError(
        f"{path} is no .lamovec, .lamolog, HDF5 file of D4RL's kind or folder of a Minari data set",
        "check the path, or write its steps as an HDF5 file with tables observations, actions, rewards, terminals and "
        "timeouts",
    )


def _import_log(wish: _Wish) -> dict[str, Any]:
    log = read_log(wish.path)
    task = f"atari-{log.header.game}"
    _refuse_task(wish, task)
    if not log.header.ale_py:
        raise UnsupportedDataError(
            f"{wish.path} lists episodes whose frames lie in other files",
            "get the set itself on this machine with `lamo data get`, or its Minari form with `lamo data export`",
        )
    name = _free_name(wish.name or log.header.name)
    with building(SOURCE, name) as folder:
        shutil.copyfile(wish.path, folder / LOG)
        card = frames_card(read_log(folder / LOG), wish.path.stat().st_size, _facts(wish, name, task))
        write_card(folder, card)
    return card


def _import_vectors(wish: _Wish) -> dict[str, Any]:
    content = read_vectors(wish.path)
    _refuse_task(wish, content.header.task)
    name = _free_name(wish.name or content.header.name)
    with building(SOURCE, name) as folder:
        shutil.copyfile(wish.path, folder / VECTORS)
        copied = read_vectors(folder / VECTORS)
        card = vectors_card(copied, wish.path.stat().st_size, _facts(wish, name, content.header.task))
        write_card(folder, card)
    return card


def _import_d4rl(wish: _Wish, progress: Progress) -> dict[str, Any]:
    task = wish.task or _guess_task(wish.path)
    get_task(task)
    name = _free_name(wish.name or wish.path.stem)
    facts = {**_facts(wish, name, task), **task_facts(task)}
    return convert(wish.path, SOURCE, name, facts, progress)


def _import_minari(wish: _Wish, progress: Progress) -> dict[str, Any]:
    folder = next((folder for folder in (wish.path, wish.path / "data") if lies_at(folder)), None)
    if folder is None:
        raise MissingError(f"there is no Minari data set at {wish.path}; name the folder that holds its data")
    if wish.task:
        get_task(wish.task)
    older = wish.older_layout and not (folder / METADATA).exists()
    if not older:
        require_described_suit(read_metadata(folder, wish.task), str(wish.path))
    name = _free_name(wish.name or wish.path.resolve().name)
    facts = minari_facts(folder, name, [str(wish.path)]) | {"task": wish.task, "licence": _UNKNOWN_LICENCE}
    facts["origin"]["source"] = SOURCE
    facts["older_layout"] = older
    card: dict[str, Any] = convert_folder(folder, SOURCE, name, facts, progress)
    if older and wish.task:
        _require_suit(wish, require_received(SOURCE, name))
    return card


def _require_suit(wish: _Wish, found: ReceivedSet) -> None:
    """Delete a set again, and raise `TaskMismatchError`, when it is not for the task that was asked for."""
    if found.is_vectors:
        header = read_vectors(found.path).header
        held = Held(False, header.features, header.discrete, header.actions)
    else:
        held = Held(True, 0, True, read_log(found.path).header.actions, exact=False)
    try:
        require_suit(str(wish.path), held, get_task(wish.task), "--task {}")
    except TaskMismatchError:
        remove_received(found)
        raise


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(16)
    except FileNotFoundError as error:
        raise MissingError(f"there is nothing at {path}; check the path") from error
    except OSError as error:
        raise DamagedDataError(f"{path} cannot be read: {error.strerror or error}", "check the file") from error


def _free_name(text: str) -> str:
    name = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-.")
    received_folder(SOURCE, name)
    if name in all_set_names():
        raise UsageError(f"there is a set {name} already; choose another name with --name")
    if find_received(SOURCE, name) is not None:
        raise UsageError(f"{name} is here already; delete it with `lamo data rm {name}` or choose another --name")
    return name


def _refuse_task(wish: _Wish, task: str) -> None:
    if wish.task and wish.task != task:
        raise TaskMismatchError(
            f"{wish.path} says that it is for the task {task}, not for {wish.task}", "leave out --task"
        )


def _guess_task(path: Path) -> str:
    for one in published_sets().values():
        if any(url.endswith(f"/{path.name}") for url in one.resource.urls):
            return one.task
    found = [body for body in ("hopper", "halfcheetah", "walker2d", "reacher2d") if body in path.stem.lower()]
    if len(found) != 1:
        raise UsageError(f"say which task {path} is for, such as --task mujoco-hopper")
    return f"mujoco-{found[0]}"


def _facts(wish: _Wish, name: str, task: str) -> dict[str, Any]:
    origin = {"source": SOURCE, "addresses": [str(wish.path)], "sha256": {"file": file_sha256(wish.path)}}
    return {"name": name, "task": task, "origin": origin, "licence": _licence(wish.path)}


def _licence(path: Path) -> str:
    """Return what a card beside one of our files says, if it is that file's."""
    try:
        card = parse_json(path.with_suffix(".json").read_bytes()[: 2**20])
        said = card["licence"] if card["name"] == path.stem else ""
    except (OSError, ValueError, KeyError, TypeError):
        said = ""
    return said[:300] if isinstance(said, str) and said.isprintable() and said else _UNKNOWN_LICENCE
