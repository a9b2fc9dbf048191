"""`lamo data get`: what would be fetched for a set, and fetching it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from lamo_core.data.sources.download import Progress, Resource
from lamo_core.data.sources.source import guess_source, published_source
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.data.store.local import find_received, received_sets


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


def plan_get(name: str, source: str) -> Plan:
    """Return what getting a set from a published source means; nothing is fetched yet. Raises `UsageError`."""
    published = published_source(source)
    full = published.full_name(name)
    here = find_received(source, full) is not None
    return Plan(source, full, published.resources(full), here, partial(published.get, full))
