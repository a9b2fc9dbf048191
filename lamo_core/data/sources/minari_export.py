"""Writes a set of ours as a Minari data set in its HDF5 form; pictures stay exactly as they are.

Actions that were scaled from an environment's own bounds are scaled back to them.

The form is Minari's own (minari/dataset/_storages/hdf5_storage.py): `metadata.json`, and `main_data.hdf5` with a group
per episode. Pictures are gzipped tables instead of Minari's usual JPEG, which readers do not notice.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lamo_core.config import DataConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.formats.action_log import read_log
from lamo_core.data.formats.vector_file import read_vectors
from lamo_core.data.sources.download import Progress
from lamo_core.data.sources.minari_spaces import DATA, METADATA
from lamo_core.data.sources.resolve import AnySet, open_set
from lamo_core.data.store.cards import bounds_of
from lamo_core.data.subset import Selection
from lamo_core.errors import StorageError, UsageError
from lamo_core.files import write_bytes
from lamo_core.tasks.action_bounds import ActionBounds
from lamo_core.tasks.locomotion import LOCOMOTION_TASKS

MINARI_VERSION = "0.5.4"
"""Of the form that is written; it is the first that reads pictures that are not JPEG."""
_FRAMES_AT_ONCE = 64
_WRITING = "writing the episodes"


def export_minari(
    found: AnySet, out: Path, ratio: float, seed: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the share `ratio` of a set below the folder `out` and return where and how much.

    With `out` as MINARI_DATASETS_PATH, Minari loads it under the id that is returned. Raises `UsageError` when it is
    there already, `DataError`, `StorageError`.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", re.sub(r"-v\d+$", "", found.name.rpartition("/")[2])).strip("-")
    dataset_id = f"lamo/{name}-v0"
    target = out / dataset_id
    if target.exists():
        raise UsageError(f"there is something at {target} already; delete it or choose another folder with --out")
    # blocks of frames are unpacked as they are written: nothing is whole in memory
    config = DataConfig(set=found.name, memory_gb=0.0)
    store = open_set(found, config, Selection(ratio, seed), progress)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        (part / "data").mkdir(parents=True)
        _write_episodes(part / "data" / DATA, store, progress)
        text = json.dumps(_metadata(found, store, dataset_id))
        write_bytes(part / "data" / METADATA, text.encode(), "--out FOLDER")
        os.replace(part, target)
    except OSError as error:
        raise StorageError(
            f"could not write {part}: {error.strerror or error}; free space or choose another place with --out FOLDER"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    size = sum(path.stat().st_size for path in (target / "data").iterdir())
    return {
        "set": found.name,
        "id": dataset_id,
        "path": str(target),
        "episodes": len(store.lengths),
        "transitions": store.transitions,
        "bytes": size,
    }


def _write_episodes(path: Path, store: EpisodeStore, progress: Progress | None) -> None:
    count, bounds = len(store.lengths), bounds_of(store.card)
    with h5py.File(path, "w", track_order=True) as file:
        for index in range(count):
            first, last = (int(step) for step in store.offsets[index : index + 2])
            group = file.create_group(f"episode_{index}")
            group.attrs["id"], group.attrs["total_steps"] = index, last - first
            _write_observations(group, store, first + index, last - first + 1)
            group["actions"] = _played_actions(store, bounds, first, last)
            group["rewards"] = store.rewards[first:last].astype(np.float64)
            for key, ends in (("terminations", store.terminated), ("truncations", store.truncated)):
                flags = np.zeros(last - first, np.bool_)
                flags[-1] = ends[index]
                group[key] = flags
            if progress is not None:
                progress(_WRITING, index + 1, count)


def _played_actions(store: EpisodeStore, bounds: ActionBounds | None, first: int, last: int) -> NDArray[Any]:
    """Return the actions of the steps from `first` to `last` in the environment's own units."""
    actions = store.actions[first:last]
    if actions.ndim == 1:
        return actions.astype(np.int64)
    return actions if bounds is None else bounds.from_unit(actions).astype(np.float32)


def _write_observations(group: Any, store: EpisodeStore, first: int, count: int) -> None:
    if isinstance(store.observations, np.ndarray):
        group["observations"] = store.observations[first : first + count]
        return
    table = group.create_dataset(
        "observations",
        (count, 84, 84),
        np.uint8,
        chunks=(min(_FRAMES_AT_ONCE, count), 84, 84),
        compression="gzip",
        compression_opts=4,
    )
    for start in range(0, count, _FRAMES_AT_ONCE):
        rows: NDArray[np.int64] = np.arange(start, min(start + _FRAMES_AT_ONCE, count))
        table[start : start + len(rows)] = store.observations.gather(first + rows)


def _metadata(found: AnySet, store: EpisodeStore, dataset_id: str) -> dict[str, Any]:
    card = store.card
    task = str(card["task"])
    metadata = {
        "total_episodes": len(store.lengths),
        "total_steps": store.transitions,
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": json.dumps(_observation_space(store)),
        "action_space": json.dumps(_action_space(found, store)),
        "dataset_id": dataset_id,
        "minari_version": MINARI_VERSION,
        "description": f"{found.name}, a data set of lamo for {task}. Licence: {card['licence']}.",
        "lamo_task": task,
        "lamo_reward_unit": card.get("reward_unit", "raw"),
    }
    specification = _environment(task)
    return metadata | ({"env_spec": specification} if specification else {})


def _observation_space(store: EpisodeStore) -> dict[str, Any]:
    frames = not isinstance(store.observations, np.ndarray)
    shape = (84, 84) if frames else store.observations.shape[1:]
    dtype, low, high = ("uint8", 0, 255) if frames else ("float32", -np.inf, np.inf)
    return _box(shape, dtype, low, high)


def _action_space(found: AnySet, store: EpisodeStore) -> dict[str, Any]:
    if store.actions.ndim > 1:
        bounds = bounds_of(store.card)
        if bounds is None:
            return _box(store.actions.shape[1:], "float32", -1.0, 1.0)
        shape = list(store.actions.shape[1:])
        return {"type": "Box", "dtype": "float32", "shape": shape, "low": list(bounds.low), "high": list(bounds.high)}
    header = read_vectors(found.path).header if found.is_vectors else read_log(found.path).header
    return {"type": "Discrete", "dtype": "int64", "start": 0, "n": header.actions}


def _box(shape: tuple[int, ...], dtype: str, low: float, high: float) -> dict[str, Any]:
    bounds = [np.full(shape, bound).tolist() for bound in (low, high)]
    return {"type": "Box", "dtype": dtype, "shape": list(shape), "low": bounds[0], "high": bounds[1]}


def _environment(task: str) -> str:
    """Return Gymnasium's description of the environment, where the data are its own as they are."""
    import gymnasium

    if task in LOCOMOTION_TASKS:
        return str(gymnasium.spec(f"{LOCOMOTION_TASKS[task].title}-v4").to_json())
    return ""
