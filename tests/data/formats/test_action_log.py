"""Action logs: what is written comes back, and nothing that is damaged or hostile gets through."""

from __future__ import annotations

import struct
import tracemalloc
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import MAGIC, TABLE, LogHeader, parse_log, read_log, write_log
from lamo_core.errors import DataError, MissingError

HEADER = LogHeader("pong-test", "pong", 6, ("one", "two"))
LENGTHS = (5, 9, 1)


def _table() -> NDArray[Any]:
    table = np.zeros(len(LENGTHS), TABLE)
    table["seed"] = (3, 1, 2)
    table["length"] = LENGTHS
    table["policy"] = (0, 1, 1)
    table["return"] = (-3, 2, 0)
    table["frames_sha256"] = np.arange(48).reshape(3, 16)
    return table


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    actions = (np.arange(sum(LENGTHS)) % 6).astype(np.uint8)
    digest = write_log(tmp_path / "log", HEADER, _table(), actions)
    written = (tmp_path / "log").read_bytes()
    assert sha256(written).hexdigest() == digest
    return written


def _sealed(*parts: bytes) -> bytes:
    body = MAGIC + struct.pack("<3I", *map(len, parts)) + b"".join(parts)
    return body + sha256(body).digest()


def _parts(content: bytes) -> list[bytes]:
    sizes = struct.unpack_from("<3I", content, len(MAGIC))
    ends = np.cumsum([len(MAGIC) + 12, *sizes])
    return [content[first:last] for first, last in pairwise(ends)]


def test_round_trip(content: bytes) -> None:
    log = parse_log(content)
    assert log.header == HEADER
    np.testing.assert_array_equal(log.table, _table())
    assert log.offsets.tolist() == [0, 5, 14, 15]
    assert log.episode_actions(1).tolist() == [5, 0, 1, 2, 3, 4, 5, 0, 1]
    assert log.sha256 == sha256(content).hexdigest()


def test_any_flipped_byte_is_noticed(content: bytes) -> None:
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(DataError):
            parse_log(bytes(damaged))


def test_any_cut_is_noticed(content: bytes) -> None:
    for length in range(len(content)):
        with pytest.raises(DataError):
            parse_log(content[:length])
    with pytest.raises(DataError):
        parse_log(content + b"\0")


def test_random_bytes_are_refused() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        with pytest.raises(DataError):
            parse_log(MAGIC + rng.bytes(int(rng.integers(0, 200))))
        with pytest.raises(DataError):
            parse_log(_sealed(*(rng.bytes(int(rng.integers(0, 60))) for _ in range(3))))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_bombs_take_no_memory(content: bytes, part: int) -> None:
    parts = _parts(content)
    parts[part] = zstandard.ZstdCompressor().compress(bytes(300_000_000))
    bomb = _sealed(*parts)
    tracemalloc.start()
    with pytest.raises(DataError, match="unpacks to 300000000 bytes"):
        parse_log(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_frames_without_a_size_are_refused(content: bytes) -> None:
    parts = _parts(content)
    parts[2] = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(15))
    with pytest.raises(DataError):
        parse_log(_sealed(*parts))


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("length", 30_000, "add up"),
        ("length", 0, "add up|length 0"),
        ("noops", 8, "noops 8"),
        ("terminated", 2, "terminated 2"),
        ("policy", 2, "policy 2"),
        ("seed", 2**31, "seed"),
        ("seed", 1, "one seed"),
    ],
)
def test_fields_out_of_range(tmp_path: Path, column: str, value: int, what: str) -> None:
    table = _table()
    table[column][0] = value
    write_log(tmp_path / "log", HEADER, table, np.zeros(sum(LENGTHS), np.uint8))
    with pytest.raises(DataError, match=what):
        read_log(tmp_path / "log")


def test_unknown_actions(content: bytes) -> None:
    parts = _parts(content)
    parts[2] = zstandard.ZstdCompressor().compress(bytes([216, 0, 0, 0, 0]))
    with pytest.raises(DataError, match="action above 5"):
        parse_log(_sealed(*parts))


@pytest.mark.parametrize("actions", [1, 2, 3, 4, 6, 9, 16, 17, 18])
def test_any_number_of_actions(tmp_path: Path, actions: int) -> None:
    header = LogHeader("any", "pong", actions, ("one", "two"))
    played = np.random.default_rng(actions).integers(0, actions, sum(LENGTHS)).astype(np.uint8)
    write_log(tmp_path / "log", header, _table(), played)
    np.testing.assert_array_equal(read_log(tmp_path / "log").actions, played)


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"{}",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"name": "../../x", "game": "pong", "actions": 6, "policies": ["a"]}',
        b'{"name": "x", "game": "pong", "actions": 1e9, "policies": ["a"]}',
        b'{"name": "x", "game": "pong", "actions": 6, "policies": 4}',
        b'{"name": "x", "game": "pong", "actions": 6, "policies": ["a"], "other": 1}',
        b'{"name": "x", "game": "pong", "actions": 6, "policies": ["a"], "sticky_actions": NaN}',
    ],
)
def test_foreign_headers(content: bytes, text: bytes) -> None:
    parts = _parts(content)
    parts[0] = zstandard.ZstdCompressor().compress(text)
    with pytest.raises(DataError, match="header"):
        parse_log(_sealed(*parts))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_log(tmp_path / "none")
    with pytest.raises(DataError):
        read_log(tmp_path)
