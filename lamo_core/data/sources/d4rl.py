"""D4RL's published sets for MuJoCo bodies and the kitchen (Fu et al. 2020), fetched as HDF5 and kept as vector sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamo_core.config import unknown_key
from lamo_core.data.kitchen_rewards import SOLVED_PER_STEP
from lamo_core.data.sandbox.sandbox import read_isolated
from lamo_core.data.sources.catalogue import PublishedSet, licence, published_sets
from lamo_core.data.sources.download import Progress, Resource, download, file_sha256
from lamo_core.data.sources.source import Source
from lamo_core.data.store.local import ReceivedSet, building, find_received, require_received
from lamo_core.errors import DamagedDataError
from lamo_core.places import data_dir
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.task import packed_task

NAME = "d4rl"
KITCHEN_FEATURES = 30
"""Numbers of a kitchen observation that are positions of the robot (9) and of objects (21); the other 30 repeat the
goal, which never changes."""


def d4rl_name(name: str) -> str:
    """Return the full name of a set, such as hopper-medium-v2 for hopper-medium; raises `UsageError`."""
    names = list(published_sets())
    found = [full for full in names if name in (full, full.rpartition("-v")[0])]
    if not found:
        raise unknown_key(name, names, "set of D4RL")
    return found[-1]


def get_d4rl(name: str, progress: Progress) -> dict[str, Any]:
    """Fetch a set, convert it and return its card; goes on from an earlier interruption.

    Raises `MissingError`, `DataError`, `StorageError`, `UsageError`, `TaskMismatchError`.
    """
    published = published_sets()[d4rl_name(name)]
    get_task(str(task_facts(published.task)["task"]))  # refused before anything is fetched
    path = data_dir() / "downloads" / NAME / f"{published.name}.hdf5"
    if not path.exists():
        download(published.resource, path, progress)
    try:
        card = convert(path, NAME, published.name, d4rl_facts(published, path), progress)
    except DamagedDataError:
        path.unlink(missing_ok=True)  # it must be fetched anew
        raise
    path.unlink(missing_ok=True)
    return card


def convert(path: Path, source: str, name: str, facts: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Turn an HDF5 file of D4RL's kind into a received set and return its card.

    Raises `DataError`, `TaskMismatchError`, `StorageError`, and for the task of the facts `UsageError`, `MissingError`.
    """
    facts = {**facts, "task_record": packed_task(get_task(facts["task"]))}
    with building(source, name) as folder:
        job = {"kind": "d4rl", "path": str(path), "out": str(folder), "facts": facts}
        return read_isolated(job, path, progress)


def d4rl_facts(published: PublishedSet, path: Path) -> dict[str, Any]:
    """Return what the card of a published set says."""
    origin = {"source": NAME, "addresses": list(published.resource.urls), "sha256": {"file": file_sha256(path)}}
    return {**task_facts(published.task), "name": published.name, "origin": origin, "licence": licence(NAME)}


def task_facts(task: str) -> dict[str, Any]:
    """Return what D4RL's files of a task have of their own: unit of the rewards, kept part of the observations."""
    facts: dict[str, Any] = {"task": task, "notes": []}
    if task.startswith("kitchen-"):
        facts |= {"features": KITCHEN_FEATURES, "reward_unit": SOLVED_PER_STEP}
        facts["task"] = f"{task.removesuffix('-v0')}-v0"  # without velocities
        facts["notes"] = [
            "observations are the 30 positions; the 30 numbers of the goal, which never change, are left out",
            "the published rewards count the solved subtasks at every step",
        ]
    return facts


class D4rl:
    """D4RL's host."""

    converted_when_opened = False

    def knows(self, name: str) -> bool:
        published = published_sets()
        return name in published or any(full.rpartition("-v")[0] == name for full in published)

    def names(self) -> list[str]:
        return list(published_sets())

    def full_name(self, name: str) -> str:
        return d4rl_name(name)

    def resources(self, name: str) -> tuple[Resource, ...]:
        return (published_sets()[name].resource,)

    def get(self, name: str, progress: Progress) -> dict[str, Any]:
        return get_d4rl(name, progress)

    def require(self, name: str, progress: Progress | None) -> ReceivedSet:
        # the name that was asked for is the one to say; both work
        return find_received(NAME, d4rl_name(name)) or require_received(NAME, name)


SOURCE: Source = D4rl()
