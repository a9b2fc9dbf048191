"""TFRecord files of `tf.train.Example`s, read without TensorFlow.

A file is one gzip stream of records: length (u64, little endian), 4 bytes of checksum, body, 4 bytes of checksum. The
checksums are not read, as gzip has its own. A body is a protocol-buffer message: features (field 1), each a name and a
list of bytes (1), floats (2) or whole numbers (3).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DamagedDataError, UnsupportedDataError

Feature = list[bytes] | NDArray[np.float32] | NDArray[np.int64]
LARGEST = 1 << 29
"""Bytes of a record; an episode of 27,000 frames has some 30 million."""
_CHUNK = 1 << 20


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the bodies of a file's records; raises `DataError` where it is cut, damaged or no such file."""
    try:
        with gzip.open(path, "rb") as file:
            while head := _exactly(file, 12, path, may_end=True):
                (length,) = struct.unpack("<Q", head[:8])
                if length > LARGEST:
                    raise UnsupportedDataError(
                        f"{path} holds a record of {length:,} bytes, more than any episode", "get another file"
                    )
                yield _exactly(file, length, path)
                _exactly(file, 4, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedDataError(f"{path} is cut or damaged ({error or type(error).__name__})") from error


def parse_example(body: bytes) -> dict[str, Feature]:
    """Return the features of a record by name; raises `ValueError` for what is no such message."""
    found: dict[str, Feature] = {}
    try:
        for _, features in _fields(memoryview(body)):
            for _, entry in _fields(_message(features)):
                parts = dict(_fields(_message(entry)))
                found[bytes(_message(parts[1])).decode()] = _feature(_message(parts.get(2, memoryview(b""))))
    except (IndexError, KeyError, TypeError, UnicodeDecodeError, struct.error) as error:
        raise ValueError("it is no tf.train.Example") from error
    return found


def _exactly(file: Any, count: int, path: Path, *, may_end: bool = False) -> bytes:
    """Return so many bytes; none at the end of the file where it may end here."""
    parts: list[bytes] = []
    left = count
    while left and (part := file.read(min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    if left and not (may_end and left == count):
        raise DamagedDataError(f"{path} ends in the middle of a record")
    return b"".join(parts)


def _feature(message: memoryview) -> Feature:
    for kind, values in _fields(message):
        inner = _message(values)
        if kind == 1:
            return [bytes(_message(value)) for _, value in _fields(inner)]
        if kind == 2:
            floats = b"".join(bytes(_message(value)) for _, value in _fields(inner))
            return np.frombuffer(floats, "<f4").astype(np.float32)
        numbers: list[int] = []
        for _, value in _fields(inner):
            numbers += [value] if isinstance(value, int) else _packed(value)
        return np.array(numbers, np.uint64).astype(np.int64)
    return []


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field of a message."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise IndexError("an unknown kind of field")
        length = 8 if kind == 1 else 4
        if kind == 2:
            length, at = _varint(message, at)
        if at + length > end:
            raise IndexError("a field is longer than its message")
        yield key >> 3, message[at : at + length]
        at += length


def _packed(message: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(message):
        value, at = _varint(message, at)
        numbers.append(value)
    return numbers


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise IndexError("a number of more than 64 bits")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number stands where a message must")
    return value
