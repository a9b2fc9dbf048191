"""Vector files: exact round trips, and one clear error for whatever is wrong with a file."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from lamo_core.data.formats import vector_file
from lamo_core.data.formats.vector_file import VectorHeader, VectorSet, read_vectors, write_vectors
from lamo_core.errors import DataError, MissingError

PREFIX = 44


def some_set(lengths: tuple[int, ...] = (3, 1, 5), features: int = 4, actions: int = 2) -> VectorSet:
    rng = np.random.default_rng(0)
    steps, episodes = sum(lengths), len(lengths)
    header = VectorHeader("tiny-set", "mujoco-hopper", episodes, steps, features, actions, ("one", "two"), "test 1")
    return VectorSet(
        header=header,
        lengths=np.array(lengths, np.int64),
        seeds=np.arange(episodes) + 2**40,
        terminated=np.arange(episodes) % 2 == 0,
        policies=np.arange(episodes) % 2,
        noise=rng.random(episodes, np.float32),
        observations=rng.standard_normal((steps + episodes, features)).astype(np.float32),
        actions=rng.uniform(-1, 1, (steps, actions)).astype(np.float32),
        rewards=rng.standard_normal(steps).astype(np.float32),
    )


@pytest.mark.parametrize(
    ("lengths", "features", "actions"), [((3, 1, 5), 4, 2), ((1,), 1, 1), ((2, 2), 1, 3), ((700, 1), 59, 9)]
)
def test_what_is_written_is_read(tmp_path: Path, lengths: tuple[int, ...], features: int, actions: int) -> None:
    content = some_set(lengths, features, actions)
    digest = write_vectors(tmp_path / "tiny.lamovec", content)
    read = read_vectors(tmp_path / "tiny.lamovec")

    assert read.sha256 == digest
    assert replace(read.header, packed=()) == content.header
    for name in vector_file.COLUMNS:
        ours, theirs = getattr(content, name), getattr(read, name)
        np.testing.assert_array_equal(ours, theirs)
        assert theirs.dtype == ours.dtype
        assert theirs.flags.c_contiguous
    np.testing.assert_allclose(read.returns[0], content.rewards[: lengths[0]].sum(), rtol=1e-5)


def test_shuffled_bytes_are_smaller(tmp_path: Path) -> None:
    content = some_set((2_000,), 8)
    smooth = np.cumsum(content.observations, 0, dtype=np.float32) / 10
    write_vectors(tmp_path / "smooth.lamovec", replace(content, observations=smooth))

    plain = len(zstandard.ZstdCompressor(level=19).compress(smooth.tobytes()))
    assert (tmp_path / "smooth.lamovec").stat().st_size < plain + content.actions.nbytes + content.rewards.nbytes


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no data set"):
        read_vectors(tmp_path / "none.lamovec")


def test_two_hundred_damaged_files_give_two_hundred_clear_errors(tmp_path: Path) -> None:
    write_vectors(tmp_path / "whole.lamovec", some_set())
    whole = (tmp_path / "whole.lamovec").read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / "damaged.lamovec"
    for case in range(200):
        broken = bytearray(whole)
        place = int(rng.integers(0, len(whole)))
        if case % 4 == 0:
            broken[place] ^= 1 << int(rng.integers(0, 8))
        elif case % 4 == 1:
            del broken[place:]
        elif case % 4 == 2:
            broken += bytes(rng.integers(0, 256, int(rng.integers(1, 50)), dtype=np.uint8))
        else:
            broken[place : place + 8] = bytes(rng.integers(0, 256, 8, dtype=np.uint8))
        if bytes(broken) == whole:
            continue
        path.write_bytes(bytes(broken))
        with pytest.raises(DataError, match="no whole vector file"):
            read_vectors(path)


def forge(path: Path, content: VectorSet, header: dict[str, Any] | None = None, **columns: np.ndarray) -> None:
    """Write a file with a right checksum but wrong contents."""
    forged = replace(content, **columns)
    write_vectors(path, forged)
    whole = path.read_bytes()
    size = int.from_bytes(whole[8:12], "little")
    fields = json.loads(whole[PREFIX : PREFIX + size]) | (header or {})
    head = json.dumps(fields).encode()
    body = head + whole[PREFIX + size :]
    path.write_bytes(whole[:8] + len(head).to_bytes(4, "little") + sha256(body).digest() + body)


@pytest.mark.parametrize(
    "header",
    [
        {"steps": 10**15},
        {"steps": -1},
        {"steps": 8},
        {"steps": True},
        {"steps": 9.0},
        {"episodes": 0},
        {"episodes": 10_000_000, "steps": 100_000_000, "features": 4096},
        {"features": "4"},
        {"features": 5},
        {"actions": None},
        {"policies": []},
        {"policies": 3},
        {"packed": []},
        {"packed": [1] * 8},
        {"packed": [10**12] * 8},
    ],
)
def test_a_lying_header_is_found_out(tmp_path: Path, header: dict[str, Any]) -> None:
    forge(tmp_path / "lie.lamovec", some_set(), header)
    with pytest.raises(DataError, match="no whole vector file"):
        read_vectors(tmp_path / "lie.lamovec")


def test_a_small_file_does_not_unpack_to_a_huge_one(tmp_path: Path) -> None:
    forge(tmp_path / "zeros.lamovec", some_set(), {"steps": 2_000_000, "features": 100})
    with pytest.raises(DataError, match="absurd size"):
        read_vectors(tmp_path / "zeros.lamovec")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("observations", np.nan, "finite"),
        ("rewards", np.inf, "finite"),
        ("actions", 1.5, "outside"),
        ("policies", 7, "without a name"),
        ("lengths", 0, "impossible lengths"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, column: str, value: float, message: str) -> None:
    content = some_set()
    values = getattr(content, column).copy()
    values.flat[1] = value
    forge(tmp_path / "bad.lamovec", content, **{column: values})
    with pytest.raises(DataError, match=message):
        read_vectors(tmp_path / "bad.lamovec")


def test_a_column_that_unpacks_to_more_takes_no_memory(tmp_path: Path) -> None:
    content = some_set()
    path = tmp_path / "bomb.lamovec"
    write_vectors(path, content)
    whole = path.read_bytes()
    size = int.from_bytes(whole[8:12], "little")
    fields = json.loads(whole[PREFIX : PREFIX + size])
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    columns = whole[PREFIX + size :]
    body_columns = columns[: sum(fields["packed"][:-1])] + bomb
    fields["packed"][-1] = len(bomb)
    head = json.dumps(fields).encode()
    body = head + body_columns
    path.write_bytes(whole[:8] + len(head).to_bytes(4, "little") + sha256(body).digest() + body)
    with pytest.raises(DataError, match="rewards has another size"):
        read_vectors(path)


def test_the_header_says_everything(tmp_path: Path) -> None:
    write_vectors(tmp_path / "tiny.lamovec", some_set())
    assert set(asdict(read_vectors(tmp_path / "tiny.lamovec").header)) == set(VectorHeader.__dataclass_fields__)
