"""The data sets with vector observations that ship with lamo or were collected here: read as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.formats.vector_file import SUFFIX, VectorSet, read_vectors
from lamo_core.data.subset import Selection
from lamo_core.places import assets_dir, collected_dir


def collected_folder() -> Path:
    """Return the folder of the sets that `lamo data collect` made, which are used by name like bundled ones."""
    return collected_dir()


def vector_set_names() -> list[str]:
    """Return the names of the bundled and of the collected vector sets."""
    return sorted({path.stem for folder in _folders() for path in folder.glob(f"*{SUFFIX}")})


def vector_path(name: str) -> Path:
    """Return where the file of a set of `vector_set_names` lies."""
    paths = [folder / f"{name}{SUFFIX}" for folder in _folders()]
    return next((path for path in paths if path.exists()), paths[0])


def open_vectors(name: str) -> VectorSet:
    """Return a whole set, checked; raises `MissingError`, `DataError`."""
    return read_vectors(vector_path(name))


def vector_store(content: VectorSet, selection: Selection, card: dict[str, object]) -> EpisodeStore:
    """Return the selected episodes."""
    episodes = selection.of(content.lengths)
    starts = np.concatenate([[0], np.cumsum(content.lengths)])
    steps = _rows(starts[episodes], content.lengths[episodes])
    rows = _rows(starts[episodes] + episodes, content.lengths[episodes] + 1)
    terminated = content.terminated[episodes]
    return EpisodeStore(
        name=content.header.name,
        observations=content.observations[rows],
        actions=content.actions[steps],
        rewards=content.rewards[steps],
        lengths=content.lengths[episodes],
        terminated=terminated,
        truncated=~terminated,
        card=card,
    )


def _rows(firsts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(first, first + count) for first, count in zip(firsts, counts, strict=True)])


def _folders() -> tuple[Path, Path]:
    # What ships comes first: a name means the same set on every machine.
    return assets_dir() / "mujoco", collected_folder()
