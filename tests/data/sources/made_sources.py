"""Small files in exactly the forms in which data sets are published."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

BOX = {"type": "Box", "dtype": "float64"}


def d4rl_tables(lengths: tuple[int, ...] = (5, 3, 4, 2), features: int = 11, actions: int = 3) -> dict[str, np.ndarray]:
    """Return D4RL's tables of episodes: the 1st and 3rd terminate, the 2nd times out, and the last breaks off."""
    rng = np.random.default_rng(0)
    steps = sum(lengths)
    ends = np.cumsum(lengths) - 1
    terminals, timeouts = np.zeros(steps, bool), np.zeros(steps, bool)
    terminals[ends[0:-1:2]] = True
    timeouts[ends[1:-1:2]] = True
    rows = rng.standard_normal((steps + 1, features)).astype(np.float32)
    following = rows[1:].copy()
    following[ends] += 100  # what is seen after an end is not the start of the next episode
    return {
        "observations": rows[:-1],
        "next_observations": following,
        "actions": rng.uniform(-1, 1, (steps, actions)).astype(np.float32),
        "rewards": rng.standard_normal(steps).astype(np.float32),
        "terminals": terminals,
        "timeouts": timeouts,
    }


def write_d4rl(path: Path, tables: dict[str, np.ndarray], **extra: Any) -> None:
    """Write a file as D4RL's: gzipped tables, and some that nobody reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in {**tables, **extra}.items():
            file.create_dataset(name, data=values, compression="gzip")
        file["metadata/algorithm"] = np.bytes_("SAC")
        file.create_dataset("infos/qpos", data=np.zeros((len(tables["actions"]), 2)), compression="gzip")


def kitchen_tables(steps: tuple[int, ...] = (6, 4)) -> dict[str, np.ndarray]:
    """Return tables as the kitchen's: 60 numbers, no next observations, subtasks counted at every step."""
    tables = d4rl_tables((*steps, 1), 60, 9)
    del tables["next_observations"]
    count = sum(steps)
    tables = {name: values[:count] for name, values in tables.items()}
    tables["rewards"] = np.concatenate([np.minimum(np.arange(length), 2.0) for length in steps])
    tables["terminals"][:] = False
    tables["timeouts"][np.cumsum(steps) - 1] = True
    return tables


def npy_bytes(values: np.ndarray) -> bytes:
    """Return an array as the content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


Tables = dict[str, np.ndarray]


def dqn_arrays(lengths: tuple[int, ...] = (4, 7, 5, 6), actions: int = 4, first_empty: int = 0) -> Tables:
    """Return the arrays of a slice whose last episode goes on in the slice after.

    Its first episode began in the slice before, unless `first_empty` rows precede it. No frame is like another.
    """
    rng = np.random.default_rng(1)
    rows: list[tuple[int, int, float, int]] = []
    for index, length in enumerate(lengths):
        rows += [(0, 0, 0.0, 0)] * (first_empty if index == 0 else 3)
        for step in range(length):
            end = step == length - 1 and index < len(lengths) - 1
            rows.append((1, int(rng.integers(0, actions)), float(rng.integers(-1, 2)), int(end)))
    rows.append((1, 1, 1.0, 1))  # left over from long before
    shown, chosen, rewards, terminals = (np.array(column) for column in zip(*rows, strict=True))
    frames = rng.integers(0, 256, (len(rows), 84, 84), dtype=np.uint8)
    frames[:, 0, 0] = np.arange(len(rows)) % 255 + 1
    return {
        "observation": frames * shown[:, None, None].astype(np.uint8),
        "action": chosen.astype(np.int32),
        "reward": rewards.astype(np.float32),
        "terminal": terminals.astype(np.uint8),
    }


def dqn_files(arrays: dict[str, np.ndarray], epoch: int) -> dict[str, bytes]:
    """Return the published files of a slice by name."""
    return {
        f"%24store%24_{part}_ckpt.{epoch}.gz": gzip.compress(npy_bytes(values), 1) for part, values in arrays.items()
    }


def box(shape: tuple[int, ...], low: float, high: float, dtype: str = "float64") -> dict[str, Any]:
    """Return a Box space as Minari writes it."""
    bounds = [np.full(shape, bound).tolist() for bound in (low, high)]
    return {"type": "Box", "dtype": dtype, "shape": list(shape), "low": bounds[0], "high": bounds[1]}


def write_minari(
    root: Path,
    name: str,
    episodes: list[dict[str, Any]],
    observations: dict[str, Any],
    actions: dict[str, Any],
    **more: Any,
) -> Path:
    """Write a data set as Minari does and return the folder of its files."""
    folder = root / name / "data"
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {
        "total_episodes": len(episodes),
        "total_steps": sum(len(episode["rewards"]) for episode in episodes),
        "data_format": "hdf5",
        "observation_space": json.dumps(observations),
        "action_space": json.dumps(actions),
        "dataset_id": name,
        "minari_version": "0.5.3",
        **more,
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
    with h5py.File(folder / "main_data.hdf5", "w", track_order=True) as file:
        for index, episode in enumerate(episodes):
            group = file.create_group(f"episode_{index}")
            group.attrs["id"], group.attrs["total_steps"] = index, len(episode["rewards"])
            for key, values in episode.items():
                if isinstance(values, list):  # pieces of bytes
                    table = group.create_dataset(key, (len(values),), h5py.vlen_dtype(np.uint8))
                    for row, piece in enumerate(values):
                        table[row] = np.frombuffer(piece, np.uint8)
                else:
                    group.create_dataset(key, data=values)
    return folder


def minari_episodes(lengths: tuple[int, ...], features: int, actions: int, scale: float = 1.0) -> list[dict[str, Any]]:
    """Return episodes of vectors with continuous actions up to `scale`, the last one terminated."""
    rng = np.random.default_rng(2)
    return [
        {
            "observations": rng.standard_normal((length + 1, features)),
            "actions": rng.uniform(-scale, scale, (length, actions)),
            "rewards": rng.standard_normal(length),
            "terminations": np.arange(length) == (length - 1 if index == len(lengths) - 1 else -1),
            "truncations": np.arange(length) == length - 1,
        }
        for index, length in enumerate(lengths)
    ]
