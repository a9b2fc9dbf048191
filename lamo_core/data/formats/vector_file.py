"""The vector file: whole episodes of a task with vector observations, exact in float32.

Layout (little endian): magic `LAMOVEC` and the version as one byte; length of the header (u32); SHA-256 of everything
that follows; the header as JSON; the columns of `COLUMNS` in their order, each one zstd frame that states its size.
Tables are stored column after column, and the bytes of their numbers apart by significance, because neighbours in time
share their leading bytes. A file may be untrusted: every size is bounded before memory is taken, every field
is checked, nothing is executed.

Legend: E episodes, N steps in all, R = N + E observations, O observation features, A action dimensions.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from lamo_core.data.checks.recovery import recovery_advice
from lamo_core.errors import DamagedDataError, MissingError, UnsupportedDataError
from lamo_core.files import write_bytes
from lamo_core.untrusted.parsing import parse_json

MAGIC = b"LAMOVEC\x01"
SUFFIX = ".lamovec"
LEVEL = 19
MAX_FILE_BYTES = 512 * 2**20
MAX_HEADER_BYTES = 2**20
MAX_UNPACKED_BYTES = 4 * 2**30
_RATIO, _ALWAYS = 200, 64 * 2**20
"""No more bytes are unpacked from one than this, beyond a size that does no harm; numbers pack to a half or so."""
MAX_EPISODES = 10_000_000
MAX_STEPS = 100_000_000
MAX_WIDTH = 4_096
MAX_DISCRETE = 256
_PREFIX = struct.Struct("<8sI32s")

COLUMNS = ("lengths", "seeds", "terminated", "policies", "noise", "observations", "actions", "rewards")


@dataclass(frozen=True)
class VectorHeader:
    """What holds for the whole set."""

    name: str
    task: str
    episodes: int
    steps: int
    features: int
    actions: int
    """Action dimensions A, or the number of discrete actions."""
    policies: tuple[str, ...]
    """Names that the column `policies` points into."""
    simulator: str = ""
    """Version of the simulator that played."""
    discrete: bool = False
    """Whether actions are numbers from 0 to `actions` - 1, not vectors."""
    partial: bool = False
    """Whether the last episode breaks off where the stream of data that the set was cut from ended."""
    packed: tuple[int, ...] = ()
    """Bytes of each column in the file."""


@dataclass(frozen=True)
class VectorSet:
    """A data set in memory."""

    header: VectorHeader
    lengths: NDArray[np.int64]
    """(E,)."""
    seeds: NDArray[np.int64]
    """(E,) of the environments."""
    terminated: NDArray[np.bool_]
    """(E,)."""
    policies: NDArray[np.int64]
    """(E,) indices into the header's names."""
    noise: NDArray[np.float32]
    """(E,) of the behaviour policy."""
    observations: NDArray[np.float32]
    """(R, O), T + 1 rows per episode."""
    actions: NDArray[Any]
    """float32 (N, A), each in [-1, 1]; or uint8 (N,)."""
    rewards: NDArray[np.float32]
    """(N,) raw."""
    sha256: str = ""
    """Of the file's content, in hexadecimal digits."""

    @property
    def returns(self) -> NDArray[np.float64]:
        """Raw return of every episode (E,)."""
        totals = np.concatenate([[0.0], np.cumsum(self.rewards, dtype=np.float64)])
        ends = np.cumsum(self.lengths)
        returns: NDArray[np.float64] = totals[ends] - totals[ends - self.lengths]
        return returns


def _layout(header: VectorHeader) -> dict[str, tuple[str, tuple[int, ...]]]:
    E, N = header.episodes, header.steps
    return {
        "lengths": ("<u4", (E,)),
        "seeds": ("<i8", (E,)),
        "terminated": ("u1", (E,)),
        "policies": ("<u2", (E,)),
        "noise": ("<f4", (E,)),
        "observations": ("<f4", (N + E, header.features)),
        "actions": ("u1", (N,)) if header.discrete else ("<f4", (N, header.actions)),
        "rewards": ("<f4", (N,)),
    }


def write_vectors(path: Path, content: VectorSet, level: int = LEVEL, *, elsewhere: str = "--out FOLDER") -> str:
    """Write a set and return its SHA-256; raises a `StorageError` that names another place by `elsewhere`."""
    packer = zstandard.ZstdCompressor(level=level)
    parts = []
    for name, (dtype, _) in _layout(content.header).items():
        column = np.ascontiguousarray(np.asarray(getattr(content, name)).T, dtype)
        planes = column.view(np.uint8).reshape(*column.shape, column.itemsize)
        parts.append(packer.compress(np.ascontiguousarray(np.moveaxis(planes, -1, -2)).tobytes()))
    fields = asdict(content.header) | {"packed": [len(part) for part in parts]}
    head = json.dumps(fields).encode()
    body = head + b"".join(parts)
    digest = sha256(body)
    write_bytes(path, _PREFIX.pack(MAGIC, len(head), digest.digest()) + body, elsewhere)
    return digest.hexdigest()


def read_vectors(path: Path) -> VectorSet:
    """Read and check a vector file; raises `MissingError` and, for anything unexpected, `DataError`."""
    content = _content(path)
    magic, head_bytes, digest = _PREFIX.unpack_from(content)
    if magic != MAGIC and magic.startswith(MAGIC[:-1]):
        raise UnsupportedDataError(f"{path} is a vector file of another version", "update lamo to read it")
    if magic != MAGIC:
        raise _broken(path, "it does not start as one")
    body = memoryview(content)[_PREFIX.size :]
    if not 0 < head_bytes <= min(MAX_HEADER_BYTES, len(body)):
        raise _broken(path, "its header has an impossible length")
    if sha256(body).digest() != digest:
        raise _broken(path, "its checksum does not fit")
    header = _header(path, bytes(body[:head_bytes]))
    layout = _layout(header)
    unpacked = sum(int(np.dtype(dtype).itemsize * np.prod(shape, dtype=object)) for dtype, shape in layout.values())
    if unpacked > min(MAX_UNPACKED_BYTES, max(_ALWAYS, _RATIO * len(body))):
        raise _broken(path, "it would unpack to an absurd size")
    if head_bytes + sum(header.packed) != len(body):
        raise _broken(path, "its columns do not fill it")
    columns: dict[str, NDArray[Any]] = {}
    start = head_bytes
    for (name, (dtype, shape)), size in zip(layout.items(), header.packed, strict=True):
        columns[name] = _column(path, name, bytes(body[start : start + size]), np.dtype(dtype), shape)
        start += size
    return _checked(path, header, columns, digest.hex())


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not _PREFIX.size < size <= MAX_FILE_BYTES:
            raise _broken(path, f"it has {size} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MissingError(f"there is no data set at {path}; {recovery_advice(path)}") from error
    except OSError as error:
        raise DamagedDataError(f"{path} cannot be read: {error.strerror or error}", "check the file") from error


def _header(path: Path, text: bytes) -> VectorHeader:
    try:
        fields = parse_json(text)
        header = VectorHeader(
            name=str(fields["name"]),
            task=str(fields["task"]),
            episodes=_count(fields["episodes"], MAX_EPISODES),
            steps=_count(fields["steps"], MAX_STEPS),
            features=_count(fields["features"], MAX_WIDTH),
            actions=_count(fields["actions"], MAX_WIDTH),
            policies=tuple(map(str, fields["policies"])),
            simulator=str(fields["simulator"]),
            discrete=_flag(fields.get("discrete", False)),
            partial=_flag(fields.get("partial", False)),
            packed=tuple(_count(size, MAX_FILE_BYTES) for size in fields["packed"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(path, "its header is damaged") from error
    if header.discrete and header.actions > MAX_DISCRETE:
        raise _broken(path, "it has more discrete actions than a byte can tell apart")
    if len(header.packed) != len(COLUMNS):
        raise _broken(path, "it has another number of columns")
    return header


def _count(value: object, largest: int) -> int:
    if type(value) is not int or not 1 <= value <= largest:
        raise ValueError(f"no count: {value!r}")
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError(f"no flag: {value!r}")
    return value


def _column(path: Path, name: str, packed: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    try:
        if zstandard.get_frame_parameters(packed).content_size != size:
            raise _broken(path, f"its column {name} has another size")
        planes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError as error:
        raise _broken(path, f"its column {name} does not unpack") from error
    turned = np.frombuffer(planes, np.uint8).reshape(*shape[1:], dtype.itemsize, shape[0])
    return np.ascontiguousarray(np.moveaxis(turned, -2, -1)).view(dtype)[..., 0].T


def _checked(path: Path, header: VectorHeader, columns: dict[str, NDArray[Any]], digest: str) -> VectorSet:
    lengths = columns["lengths"].astype(np.int64)
    problems = {
        "episodes of impossible lengths": lengths.min() < 1 or int(lengths.sum()) != header.steps,
        "ends that are neither yes nor no": columns["terminated"].max() > 1,
        "policies without a name": columns["policies"].max() >= len(header.policies),
        "numbers that are not finite": not all(
            np.isfinite(columns[name]).all() for name in ("noise", "observations", "actions", "rewards")
        ),
        "actions outside of their range": _outside(columns["actions"], header),
    }
    for problem, present in problems.items():
        if present:
            raise _broken(path, f"it holds {problem}")
    return VectorSet(
        header=header,
        lengths=lengths,
        seeds=columns["seeds"].astype(np.int64),
        terminated=columns["terminated"].astype(np.bool_),
        policies=columns["policies"].astype(np.int64),
        noise=np.ascontiguousarray(columns["noise"], np.float32),
        observations=np.ascontiguousarray(columns["observations"], np.float32),
        actions=np.ascontiguousarray(columns["actions"], np.uint8 if header.discrete else np.float32),
        rewards=np.ascontiguousarray(columns["rewards"], np.float32),
        sha256=digest,
    )


def _outside(actions: NDArray[Any], header: VectorHeader) -> bool:
    return bool((actions >= header.actions).any() if header.discrete else (np.abs(actions) > 1).any())


def _broken(path: Path, why: str) -> DamagedDataError:
    return DamagedDataError(f"{path} is no whole vector file: {why}", recovery_advice(path))
