"""The action log: a whole data set as seeds and actions, a quarter of a byte per transition.

Layout (little endian): magic `LAMOLOG1`; three lengths (u32): packed header, packed episode table, packed actions;
the three parts, each one zstd frame that states its size; SHA-256 of everything before it. The header is JSON, the
table one record per episode (`TABLE`, column after column). The actions of all episodes in a row are digits, as many
to a byte as fit (four of Breakout's four actions, three of Qbert's six), which packs 4 to 8 % better than a byte each.
A log may be untrusted: every size is bounded before memory is taken, every field is checked, nothing is
executed.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from lamo_core.data.checks.recovery import recovery_advice
from lamo_core.errors import DamagedDataError, MissingError, UnsupportedDataError
from lamo_core.files import write_bytes
from lamo_core.untrusted.parsing import parse_json

MAGIC = b"LAMOLOG1"
HASH_BYTES = 16
MAX_FILE_BYTES = 64 * 2**20
MAX_HEADER_BYTES = 2**20
MAX_EPISODES = 1_000_000
MAX_TRANSITIONS = 50_000_000
MAX_NOOPS = 1_000
_GROUPS_AT_ONCE = 2**20

TABLE = np.dtype(
    [
        ("seed", "<u4"),
        ("noops", "<u2"),
        ("length", "<u4"),
        ("return", "<i4"),
        ("rewards_crc32", "<u4"),
        ("terminated", "u1"),
        ("policy", "u1"),
        ("noise", "<f4"),
        ("frames_sha256", "u1", HASH_BYTES),
    ]
)
"""One record per episode; `rewards_crc32` is over the int32 rewards, `frames_sha256` the first bytes of the
hash over the T + 1 frames of 84x84 bytes, `policy` an index into the header's `policies`."""


@dataclass(frozen=True)
class LogHeader:
    """What holds for the whole log."""

    name: str
    game: str
    actions: int
    """Size of the game's minimal action set."""
    policies: tuple[str, ...]
    sticky_actions: float = 0.25
    frame_skip: int = 4
    noop_max: int = 7
    max_steps: int = 27_000
    ale_py: str = ""
    """Version of ale-py that played; 0.11 and newer bring the same frames back."""


@dataclass(frozen=True)
class ActionLog:
    """A data set as seeds and actions."""

    header: LogHeader
    table: NDArray[Any]
    """(E,) records of `TABLE`."""
    actions: NDArray[np.uint8]
    """(N,) of all episodes in a row."""
    sha256: str = ""
    """Of the file, in hexadecimal."""

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Decisions of each episode (E,)."""
        return self.table["length"].astype(np.int64)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First action of each episode, and N at the end: (E + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    def episode_actions(self, episode: int) -> NDArray[np.uint8]:
        """Return the actions of one episode (T,)."""
        first, last = self.offsets[episode : episode + 2]
        return self.actions[first:last]


def write_log(
    path: Path,
    header: LogHeader,
    table: NDArray[Any],
    actions: NDArray[np.uint8],
    *,
    elsewhere: str = "--out FOLDER",
) -> str:
    """Write a log and return its SHA-256 in hexadecimal; raises a `StorageError` that names another place by
    `elsewhere`."""
    packer = zstandard.ZstdCompressor(level=22)
    text = json.dumps(header.__dict__, sort_keys=True).encode()
    # Columns of like bytes pack better than records.
    columns = b"".join(np.ascontiguousarray(table[name]).tobytes() for name in TABLE.names or ())
    parts = [packer.compress(part) for part in (text, columns, _to_digits(actions, header.actions))]
    content = MAGIC + struct.pack("<3I", *map(len, parts)) + b"".join(parts)
    content += sha256(content).digest()
    write_bytes(path, content, elsewhere)
    return sha256(content).hexdigest()


def read_log(path: Path) -> ActionLog:
    """Read and check a log; raises `MissingError` without it, `DataError` when it is damaged or not a log."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingError(f"there is no action log at {path}; `lamo data list` shows what is here") from error
    except OSError as error:
        raise DamagedDataError(f"could not read {path}: {error.strerror or error}", "check the file") from error
    try:
        return parse_log(content)
    except DamagedDataError as error:
        raise DamagedDataError(f"{path} {error.args[0]}", recovery_advice(path)) from error
    except UnsupportedDataError as error:
        raise UnsupportedDataError(f"{path} {error.args[0]}", error.args[1]) from error


def parse_log(content: bytes) -> ActionLog:
    """Return the log in `content`; raises `DataError` whose text goes on after a file name."""
    if len(content) > MAX_FILE_BYTES:
        raise DamagedDataError(f"is larger than {MAX_FILE_BYTES // 2**20} MiB, so it is no action log")
    if not content.startswith(MAGIC) and content.startswith(MAGIC[:-1]):
        raise UnsupportedDataError("is an action log of another version", "update lamo to read it")
    if not content.startswith(MAGIC):
        raise DamagedDataError("is no action log")
    start = len(MAGIC) + 12
    if len(content) < start + 32 or sha256(content[:-32]).digest() != content[-32:]:
        raise DamagedDataError("is damaged (its checksum does not fit)")
    sizes = struct.unpack_from("<3I", content, len(MAGIC))
    if start + sum(sizes) + 32 != len(content):
        raise DamagedDataError("is damaged (its parts do not fill it)")
    ends = np.cumsum([start, *sizes]).tolist()
    text, columns, packed = (content[first:last] for first, last in pairwise(ends))
    header = _parse_header(_unpack(text, MAX_HEADER_BYTES))
    table = _parse_table(_unpack(columns, MAX_EPISODES * TABLE.itemsize))
    steps = int(table["length"].sum(dtype=np.int64))
    if steps > MAX_TRANSITIONS:
        raise DamagedDataError(f"says that it has {steps:,} transitions, more than a log may hold")
    actions = _from_digits(_unpack(packed, MAX_TRANSITIONS), header.actions, steps)
    log = ActionLog(header, table, actions, sha256(content).hexdigest())
    _check(log)
    return log


def _digits(actions: int) -> int:
    return next(count for count in range(8, 0, -1) if actions**count <= 256)


def _to_digits(values: NDArray[np.uint8], actions: int) -> bytes:
    count = _digits(actions)
    rows = np.pad(values, (0, -len(values) % count)).reshape(-1, count).astype(np.int64)
    return (rows @ actions ** np.arange(count)).astype(np.uint8).tobytes()


def _from_digits(packed: bytes, actions: int, steps: int) -> NDArray[np.uint8]:
    count = _digits(actions)
    if len(packed) != -(-steps // count):
        raise DamagedDataError("has episodes that do not add up to its actions")
    groups = np.frombuffer(packed, np.uint8)
    if len(groups) and int(groups.max()) >= actions**count:
        raise DamagedDataError(f"has an action above {actions - 1}")
    meanings = (np.arange(256)[:, None] // actions ** np.arange(count) % actions).astype(np.uint8)
    values = np.empty((len(groups), count), np.uint8)
    for first in range(0, len(groups), _GROUPS_AT_ONCE):  # indexing takes eight bytes for each
        last = first + _GROUPS_AT_ONCE
        values[first:last] = meanings[groups[first:last]]
    return values.ravel()[:steps]


def _unpack(frame: bytes, limit: int) -> bytes:
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > limit:  # an unknown size is reported as a huge one
            raise DamagedDataError(f"says that a part unpacks to {size} bytes, more than a log may hold")
        return zstandard.ZstdDecompressor(max_window_size=2**28).decompress(frame, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise DamagedDataError(f"does not unpack ({error})") from error


def _parse_header(text: bytes) -> LogHeader:
    try:
        values = parse_json(text)
        values["policies"] = tuple(str(name) for name in values["policies"])
        header = LogHeader(**values)
        numbers = (header.actions, header.frame_skip, header.noop_max, header.max_steps)
        fits = all(type(number) is int for number in numbers) and isinstance(header.sticky_actions, float)
        fits = fits and 1 <= header.actions <= 18 and 1 <= header.frame_skip <= 60
        fits = fits and 0 <= header.sticky_actions <= 1 and 0 <= header.noop_max <= MAX_NOOPS
        fits = fits and 1 <= header.max_steps <= MAX_TRANSITIONS and len(header.policies) <= 256
        # The names end up in paths and in the emulator's look-up.
        fits = fits and all(re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", text) for text in (header.name, header.game))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedDataError("has a header that is not of this version") from error
    if not fits:
        raise DamagedDataError("has a header with values out of range")
    return header


def _parse_table(columns: bytes) -> NDArray[Any]:
    episodes, rest = divmod(len(columns), TABLE.itemsize)
    if rest or not episodes:
        raise DamagedDataError("has a broken table of episodes")
    table = np.zeros(episodes, TABLE)
    position = 0
    for name in TABLE.names or ():
        column = table[name]
        table[name] = np.frombuffer(columns, column.dtype, column.size, position).reshape(column.shape)
        position += column.nbytes
    return table


def _check(log: ActionLog) -> None:
    header, table = log.header, log.table
    columns: Sequence[tuple[str, int, int]] = (
        ("length", 1, header.max_steps),
        ("noops", 0, header.noop_max),
        ("terminated", 0, 1),
        ("policy", 0, len(header.policies) - 1),
        ("seed", 0, 2**31 - 1),
    )
    for name, low, high in columns:
        wrong = np.flatnonzero((table[name] < low) | (table[name] > high))
        if len(wrong):
            raise DamagedDataError(f"has episode {wrong[0]} with {name} {table[name][wrong[0]]}")
    if len(np.unique(table["seed"])) != len(table):
        raise DamagedDataError("has two episodes with one seed")
