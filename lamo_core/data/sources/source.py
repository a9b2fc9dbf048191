"""Source of published data sets: the protocol that each follows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from lamo_core.data.source_names import PUBLISHED
from lamo_core.settings.strict import unknown_key

if TYPE_CHECKING:
    from lamo_core.data.sources.download import Progress, Resource
    from lamo_core.data.store.local import ReceivedSet


class Source(Protocol):
    """A place where data sets are published. A new one is a module with such a `SOURCE`, and a line in `PUBLISHED`."""

    @property
    def converted_when_opened(self) -> bool:
        """Whether a set that lies here unconverted is converted when a run opens it, which takes a while."""

    def knows(self, name: str) -> bool:
        """Return whether a name that is given without a source is one of its sets."""

    def names(self) -> list[str]:
        """Return the names of its sets that are known without a network."""

    def full_name(self, name: str) -> str:
        """Return the name of a set with its version; raises `UsageError` for a name that is none of its sets'."""

    def resources(self, name: str) -> tuple[Resource, ...]:
        """Return the files to fetch for a set by its full name; none where it lies here and is only converted."""

    def get(self, name: str, progress: Progress) -> dict[str, Any]:
        """Fetch a set by its full name, convert it and return its card; goes on from an earlier interruption.

        Raises `MissingError`, `DataError`, `StorageError`, `UsageError`, `TaskMismatchError`.
        """

    def require(self, name: str, progress: Progress | None) -> ReceivedSet:
        """Return a set that is here; raises `UsageError`, and `MissingError` that names the command which gets it."""


def published_source(name: str) -> Source:
    """Return the source of a name; raises `UsageError` for an unknown one."""
    if name not in PUBLISHED:
        raise unknown_key(name, list(PUBLISHED), "source of data")
    source: Source = import_module(PUBLISHED[name]).SOURCE
    return source


def guess_source(name: str, others: Sequence[str]) -> str:
    """Return the published source that a set's name means; raises `UsageError`, with `others` among the likes of it."""
    for source in PUBLISHED:
        if published_source(source).knows(name):
            return source
    known = [one for source in PUBLISHED for one in published_source(source).names()]
    raise unknown_key(name, [*others, *known], "data set")
