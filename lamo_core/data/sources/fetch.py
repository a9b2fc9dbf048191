"""`lamo data get`: what would be fetched for a set, and fetching it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.data.sources.catalogue import taken_from
from lamo_core.data.sources.download import Progress, Resource
from lamo_core.data.sources.source import guess_source, published_source
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.data.store.local import find_received, received_sets
from lamo_core.errors import UsageError

_FROM_FOLDERS = ("rl-unplugged", "dqn-replay")
"""Sources whose files say too little of themselves to be imported without a name."""


@dataclass(frozen=True)
class Plan:
    """What getting a set means."""

    source: str
    name: str
    """The full one."""
    resources: tuple[Resource, ...]
    """Files that are fetched; none when the set lies on this machine and is converted alone."""
    here: bool
    """Whether the set is on this machine already."""
    run: Callable[[Progress], dict[str, Any]]
    """Fetches and converts the set and returns its card."""


def set_source(name: str) -> str:
    """Return the source of a set by its name: `bundled`, `imported` or a published one; raises `UsageError`."""
    if name in all_set_names():
        return "bundled"
    for found in received_sets():
        if found.name == name:
            return found.source
    return guess_source(name, all_set_names())


def plan_get(name: str, source: str, folder: Path | None = None) -> Plan:
    """Return what getting a set from a published source means; nothing is fetched yet.

    With a `folder` its files are taken from there. Raises `UsageError`, and `MissingError` where they are not there.
    """
    if folder is not None and source not in _FROM_FOLDERS:
        raise UsageError(f"a file or folder of {source} is taken with: lamo data import PATH")
    published = published_source(source)
    full = published.full_name(name)
    here = find_received(source, full) is not None
    with taken_from(folder):
        resources = () if here else published.resources(full)

    def run(progress: Progress) -> dict[str, Any]:
        with taken_from(folder):
            return published.get(full, progress)

    return Plan(source, full, resources, here, run)
