"""Damaged and forged HDF5 files, read by a process that may crash: one clear sentence each.

HDF5 has no checksum over its numbers: a flipped bit may be another number, which nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lamo_core.data.sandbox.sandbox import IsolatedReader
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.task import packed_task
from tests.data.formats.damage import damaged, refuse
from tests.data.sources.made_sources import box, d4rl_tables, minari_episodes, write_d4rl, write_minari

FACTS = {
    "name": "set",
    "task": "mujoco-hopper",
    "licence": "?",
    "origin": {"source": "imported"},
    "task_record": packed_task(get_task("mujoco-hopper")),
}


def sparse(file: Any) -> None:
    # 10^12 numbers that are all the fill value take no room in the file
    file.create_dataset("actions", (10**11, 11), "f8", chunks=(1000, 11), compression="gzip")


def packed(file: Any) -> None:
    file.create_dataset("actions", data=np.zeros((400_000, 8)), chunks=(400_000, 8), compression="gzip")
    file.create_dataset("rewards", (10**9,), "f8", chunks=(10_000,), compression="gzip")


def large_chunks(file: Any) -> None:
    file.create_dataset("actions", (14, 3), "f8", chunks=(10**8, 3), maxshape=(None, 3), compression="gzip")


def elsewhere(file: Any) -> None:
    file["actions"] = h5py.ExternalLink("other.hdf5", "/actions")


def outside(file: Any) -> None:
    file.create_dataset("actions", (14, 3), "f8", external=[("secret", 0, 400)])


def circle(file: Any) -> None:
    file["actions"] = h5py.SoftLink("/actions")


def group(file: Any) -> None:
    file.create_group("actions")


def words(file: Any) -> None:
    file.create_dataset("actions", data=["a", "b"], dtype=h5py.string_dtype())


def empty(file: Any) -> None:
    file.create_dataset("actions", data=h5py.Empty("f8"))


def nothing(file: Any) -> None:
    pass


FORGERIES = (sparse, packed, large_chunks, elsewhere, outside, circle, group, words, empty, nothing)


def hdf5_bytes(folder: Path, fill: Callable[[Any], None]) -> bytes:
    """Return an HDF5 file that `fill` has written."""
    with h5py.File(folder / "made.hdf5", "w") as file:
        fill(file)
    return (folder / "made.hdf5").read_bytes()


def forged_d4rl(folder: Path) -> Iterator[bytes]:
    """Yield files of D4RL's kind whose tables cannot be right."""
    changes: list[dict[str, Any]] = [
        {"observations": np.zeros(14)},
        {"observations": np.zeros((13, 11))},
        {"observations": np.full((14, 11), np.nan)},
        {"observations": np.full((14, 11), 1e300)},
        {"observations": np.zeros((14, 11), "S3")},
        {"observations": np.zeros((14, 0))},
        {"observations": np.zeros((14, 11), np.complex64)},
        {"next_observations": np.zeros((14, 12))},
        {"actions": np.full((14, 3), 1.5)},
        {"actions": np.zeros((0, 3))},
        {"actions": np.zeros((14, 3, 2))},
        {"rewards": np.full(14, np.inf)},
        {"rewards": np.zeros(15)},
        {"rewards": np.zeros((14, 2))},
        {"terminals": np.full(14, 2)},
        {"terminals": np.zeros(13)},
        {"timeouts": np.zeros((14, 14))},
    ]
    for change in changes:
        write_d4rl(folder / "made.hdf5", d4rl_tables() | change)
        yield (folder / "made.hdf5").read_bytes()
    for name in ("observations", "actions", "rewards", "terminals"):
        tables = d4rl_tables()
        missing = tables.pop(name)
        if name == "terminals":
            del tables["timeouts"]
        write_d4rl(folder / "made.hdf5", {"actions": missing[:0], **tables} if name == "actions" else tables)
        yield (folder / "made.hdf5").read_bytes()
    (folder / "secret").write_bytes(bytes(400))
    write_d4rl(folder / "other.hdf5", d4rl_tables())
    for fill in FORGERIES:
        yield hdf5_bytes(folder, fill)


def test_d4rl_files(tmp_path: Path) -> None:
    write_d4rl(tmp_path / "whole.hdf5", d4rl_tables())
    whole = (tmp_path / "whole.hdf5").read_bytes()
    (tmp_path / "out").mkdir()
    with IsolatedReader() as reader:

        def read(path: Path) -> None:
            job = {"kind": "d4rl", "path": str(path), "out": str(tmp_path / "out"), "facts": FACTS}
            reader.run(job, path)

        read(tmp_path / "whole.hdf5")
        refused = refuse(read, tmp_path / "bad.hdf5", damaged(whole, 60, 5), always=False)
        assert refused > 20
        forged = list(forged_d4rl(tmp_path))
        assert refuse(read, tmp_path / "bad.hdf5", forged) == len(forged) == 31


def test_minari_files(tmp_path: Path) -> None:
    arguments = (minari_episodes((4, 6), 11, 3), box((11,), -np.inf, np.inf), box((3,), -1, 1))
    folder = write_minari(tmp_path, "set-v0", *arguments)
    (tmp_path / "out").mkdir()
    whole = {name: (folder / name).read_bytes() for name in ("main_data.hdf5", "metadata.json")}
    with IsolatedReader() as reader:

        def read(path: Path) -> None:
            job = {"kind": "minari", "path": str(folder), "out": str(tmp_path / "out"), "facts": {**FACTS, "task": ""}}
            reader.run(job, path)

        refused = 0
        for seed, (name, content) in enumerate(whole.items()):
            refused += refuse(read, folder / name, damaged(content, 40, 6 + seed), always=False)
            (folder / name).write_bytes(content)
        assert refused > 20
        read(folder)
        assert refuse(read, folder / "main_data.hdf5", forged_minari(tmp_path)) == 14


def scalars(file: Any) -> None:
    """Write episodes that are no groups."""
    file["episode_0"], file["episode_1"] = 0.0, 0.0


def forged_minari(folder: Path) -> list[bytes]:
    """Return main files of two episodes whose tables cannot be right."""
    changes: list[dict[str, Any]] = [
        {"observations": np.zeros((4, 11))},
        {"observations": np.zeros((5, 12))},
        {"observations": np.zeros(5)},
        {"observations": np.full((5, 11), np.inf)},
        {"actions": np.zeros((4, 2))},
        {"actions": np.full((4, 3), np.nan)},
        {"actions": np.full((4, 3), -3.0)},
        {"rewards": np.zeros((4, 2))},
        {"rewards": np.zeros(0)},
        {"rewards": np.array(["a"] * 4, "S1")},
        {"terminations": np.zeros(5)},
        {"rewards": np.full(4, 1e300)},
    ]
    made = []
    for change in changes:
        episodes = minari_episodes((4, 6), 11, 3)
        episodes[0] |= change
        made.append((write_minari(folder, "made-v0", episodes, {}, {}) / "main_data.hdf5").read_bytes())
    episodes = minari_episodes((4,), 11, 3)
    made.append((write_minari(folder, "made-v0", episodes, {}, {}) / "main_data.hdf5").read_bytes())
    made.append(hdf5_bytes(folder, scalars))
    return made
