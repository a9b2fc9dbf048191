"""Finds a data set by source and name, and opens it, whatever it is kept as."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import DataConfig, unknown_key
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.formats.action_log import ActionLog, read_log
from lamo_core.data.formats.frame_store import PackedEpisodes, frame_store, with_empty_starts
from lamo_core.data.formats.segmentation import Cutting, cut_episodes
from lamo_core.data.formats.vector_file import SUFFIX, read_vectors
from lamo_core.data.source_names import HERE
from lamo_core.data.sources.download import Progress
from lamo_core.data.sources.source import published_source
from lamo_core.data.store.bundled_logs import all_set_names, read_card, replayed_store, set_path
from lamo_core.data.store.bundled_vectors import collected_folder, vector_store
from lamo_core.data.store.frame_set import episode_file, is_partial
from lamo_core.data.store.local import ReceivedSet, received_sets, require_received
from lamo_core.data.subset import Selection
from lamo_core.errors import UsageError

FRAME_BYTES = 84 * 84


@dataclass(frozen=True)
class ShippedSet:
    """A set that came with lamo, or was collected here."""

    name: str

    @property
    def source(self) -> str:
        """`collected` or `bundled`; a config finds both by name."""
        return "collected" if self.path.is_relative_to(collected_folder()) else "bundled"

    @property
    def path(self) -> Any:
        """The set's file."""
        return set_path(self.name)

    @property
    def is_vectors(self) -> bool:
        """Whether the observations are vectors, not frames."""
        return bool(self.path.suffix == SUFFIX)

    def card(self) -> dict[str, Any]:
        """Return the card; raises `DataError` when it is damaged."""
        return read_card(self.name)


AnySet = ShippedSet | ReceivedSet


def find_set(source: str, name: str, progress: Progress | None = None) -> AnySet:
    """Return the set that a config names; one in Minari's own folder is converted at first use.

    Raises `UsageError` for a name that does not exist, `MissingError` for a set that is not here.
    """
    return _shipped_or_imported(name) if source in HERE else published_source(source).require(name, progress)


def find_anywhere(name: str, source: str | None = None) -> AnySet:
    """Return the set of that name that is on this machine; raises `UsageError` when there is none, or are several."""
    if source is not None:
        return find_set(source, name)
    found: list[AnySet] = [one for one in received_sets() if name == one.name]
    if name in all_set_names():
        found.insert(0, ShippedSet(name))
    if len(found) > 1:
        sources = ", ".join(one.source for one in found)
        raise UsageError(f"there are several sets {name}; choose one with --source: {sources}")
    if not found:
        raise unknown_key(name, all_set_names() + [one.name for one in received_sets()], "data set")
    return found[0]


def set_contents(found: AnySet, cutting: Cutting = "correct") -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Return steps and return of every episode of a set, (E,) each, and the bytes of one observation."""
    if found.is_vectors:
        content = cut_episodes(read_vectors(found.path), cutting)
        return content.lengths, content.returns, content.observations[0].nbytes
    log = read_log(found.path)
    chosen = _usable(found, log, cutting)
    lengths = log.lengths[chosen]
    if _is_slice(found) and cutting == "published":
        lengths = lengths + log.table["noops"][chosen]
    return lengths, log.table["return"][chosen].astype(np.float64), FRAME_BYTES


def open_set(found: AnySet, config: DataConfig, selection: Selection, progress: Progress | None) -> EpisodeStore:
    """Return the selected episodes of a set; of `config`, how they are cut and kept counts."""
    card = found.card()
    if found.is_vectors:
        content = cut_episodes(read_vectors(found.path), config.cutting)
        store = vector_store(content, selection, card)
    else:
        log = read_log(found.path)
        if isinstance(found, ReceivedSet) and not log.header.ale_py:
            store = _kept_frames(found, log, config, selection, progress)
        elif config.cutting == "published":
            raise UsageError(f"{found.name} was recorded episode by episode; data.cutting=published has nothing to cut")
        else:
            store = replayed_store(log, card, selection, config.memory_gb, progress)
    return replace(store, name=found.name, card=card)


def _shipped_or_imported(name: str) -> AnySet:
    if name in all_set_names():
        return ShippedSet(name)
    imported = [one.name for one in received_sets() if one.source == "imported"]
    if name not in imported:
        raise unknown_key(name, all_set_names() + imported, "data set")
    return require_received("imported", name)


def _is_slice(found: AnySet) -> bool:
    return found.source == "dqn-replay"


def _usable(found: AnySet, log: ActionLog, cutting: Cutting) -> NDArray[np.int64]:
    """Return the episodes to choose from: those of a slice are left out where its borders cut them."""
    if _is_slice(found) and cutting == "correct":
        return np.flatnonzero(~is_partial(log))
    return np.arange(len(log.table))


def _kept_frames(
    found: ReceivedSet, log: ActionLog, config: DataConfig, selection: Selection, progress: Progress | None
) -> EpisodeStore:
    usable = _usable(found, log, config.cutting)
    lengths = set_contents(found, config.cutting)[0]
    episodes = usable[selection.of(lengths)]
    files = [episode_file(found, log, int(episode)) for episode in episodes]
    packed = PackedEpisodes(log, episodes, files, lambda episode: episode_file(found, log, episode))
    store = frame_store(packed, config.memory_gb, {}, progress)
    if _is_slice(found) and config.cutting == "published":
        return with_empty_starts(store, log.table["noops"][episodes].astype(np.int64))
    return store
