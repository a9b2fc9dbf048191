"""`lamo data get`: what would be fetched for a set, and fetching it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from lamo_core.config import unknown_key
from lamo_core.data.sources.catalogue import published_sets
from lamo_core.data.sources.d4rl import d4rl_name, get_d4rl
from lamo_core.data.sources.download import Progress, Resource
from lamo_core.data.sources.dqn_replay import get_slice, parse_slice
from lamo_core.data.sources.minari import check_name, get_minari, lies_at, minari_resources, minari_root
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.data.store.local import find_received, received_sets
from lamo_core.errors import UsageError
from lamo_core.tasks.registry import get_task

FETCHED = ("dqn-replay", "d4rl", "minari")


@dataclass(frozen=True)
class Plan:
    """What getting a set means."""

    source: str
    name: str
    """The full one."""
    resources: tuple[Resource, ...]
    """Files that are fetched; none when the set lies in Minari's own folder."""
    here: bool
    """Whether the set is on this machine already."""
    run: Callable[[Progress], dict[str, Any]]
    """Fetches and converts the set and returns its card."""


def guess_source(name: str) -> str:
    """Return the source of a set by its name: `bundled`, `imported` or one that is fetched; raises `UsageError`."""
    if name in all_set_names():
        return "bundled"
    for found in received_sets():
        if found.name == name:
            return found.source
    if "/" in name:
        return "minari"
    published = published_sets()
    if name in published or any(full.rpartition("-v")[0] == name for full in published):
        return "d4rl"
    try:
        get_task(parse_slice(name).task)
    except UsageError as error:
        known = [*all_set_names(), *published]
        raise unknown_key(name, known, "data set") from error
    return "dqn-replay"


def plan_get(name: str, source: str) -> Plan:
    """Return what getting a set from `source` means; nothing is fetched yet. Raises `UsageError`."""
    run: Callable[[Progress], dict[str, Any]]
    if source == "d4rl":
        full = d4rl_name(name)
        resources: tuple[Resource, ...] = (published_sets()[full].resource,)
        run = partial(get_d4rl, full)
    elif source == "dqn-replay":
        wanted = parse_slice(name)
        full, resources = wanted.name, tuple(wanted.resources().values())
        run = partial(get_slice, wanted)
    elif source == "minari":
        full = check_name(name)
        local = lies_at(minari_root() / full / "data")
        resources = () if local else tuple(minari_resources(full).values())
        run = partial(get_minari, full)
    else:
        raise unknown_key(source, list(FETCHED), "source of data")
    return Plan(source, full, resources, find_received(source, full) is not None, run)
