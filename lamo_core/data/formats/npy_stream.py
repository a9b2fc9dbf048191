"""Arrays inside gzip, read in order and in bounded memory: the form in which DQN-Replay is published.

A file is a gzip stream of one NumPy `.npy` array. Nothing of it is trusted: the header is matched, not evaluated,
no Python object is ever made of it, and not a byte is unpacked before it is asked for.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DamagedDataError, DataError, MissingError, UnsupportedDataError
from lamo_core.untrusted.npy_array import MAX_HEADER, header_start, parse_header

_READ = 64 * 1024
_MOST_MEMBERS = 1_000
OTHER_CONTENT = "lamo takes the files that DQN-Replay publishes; name their address in the file of LAMO_SOURCES"
_RATIO = 1_032
"""Deflate packs no more than this many bytes into one."""


class NpyStream:
    """One array (N, …) read front to back. Use it in a `with` block; raises `MissingError` and `DataError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise MissingError(f"cannot open {path}: {error.strerror or error}; get it again") from error
        self._inflater = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._members = 1
        self._packed_bytes = path.stat().st_size
        try:
            self.dtype, self.shape = self._read_header()
        except DataError:
            self._file.close()
            raise
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
        self._left = self.shape[0]

    def __enter__(self) -> NpyStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def packed_done(self) -> int:
        """Bytes of the file that were read so far."""
        return self._file.tell()

    def rows(self, count: int) -> NDArray[Any]:
        """Return the next `count` rows, fewer at the end; after the last row the checksum has been checked."""
        count = min(count, self._left)
        data = self._unpack(count * self._row_bytes)
        if len(data) < count * self._row_bytes:
            self._fail("it breaks off inside its array")
        self._left -= count
        if not self._left and self._unpack(1):
            self._fail("it holds more than its header says")
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])

    def _read_header(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        try:
            size = int.from_bytes(self._unpack(header_start(self._unpack(8))), "little")
            if not 0 < size <= MAX_HEADER:
                self._fail("the header of its array has an impossible length")
            header = parse_header(self._unpack(size))
        except ValueError as error:
            self._fail(str(error), error)
        if header.columns:
            self._refuse("is stored column by column")
        if header.dtype.kind not in "uifb" or not header.shape or 0 in header.shape:
            self._refuse(f"holds {header.dtype} of shape {header.shape}"[:200])
        if header.nbytes > _RATIO * self._packed_bytes:
            self._fail(f"it says that {self._packed_bytes:,} bytes unpack to {header.nbytes:,}")
        return header.dtype, header.shape

    def _unpack(self, count: int) -> bytes:
        """Return the next `count` unpacked bytes, fewer at the end."""
        parts: list[bytes] = []
        while count:
            if self._inflater.eof:
                tail = self._inflater.unused_data or self._file.read(_READ)
                if not tail.strip(b"\0"):  # zeros may pad a gzip file
                    break
                self._inflater, self._pending = zlib.decompressobj(wbits=31), tail
                self._members += 1
                if self._members > _MOST_MEMBERS:
                    self._fail("it is made of too many pieces")
            packed = self._pending or self._file.read(_READ)
            part = self._inflate(packed, count)  # without input it hands out what it still holds
            if not packed and not part and not self._inflater.eof:
                self._fail("it breaks off")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _inflate(self, packed: bytes, count: int) -> bytes:
        try:
            part = self._inflater.decompress(packed, count)
        except zlib.error as error:
            self._fail("it does not unpack", error)
        self._pending = self._inflater.unconsumed_tail
        return part

    def _fail(self, why: str, cause: Exception | None = None) -> NoReturn:
        raise DamagedDataError(f"{self._path} is no whole gzip of a NumPy array: {why}") from cause

    def _refuse(self, what: str) -> NoReturn:
        raise UnsupportedDataError(f"the array in {self._path} {what}", OTHER_CONTENT)


def read_column(path: Path, most_rows: int) -> NDArray[Any]:
    """Return a whole array (N,) of numbers; raises `MissingError` and `DataError`, also for more than `most_rows`."""
    with NpyStream(path) as stream:
        if len(stream.shape) != 1 or stream.shape[0] > most_rows:
            raise UnsupportedDataError(f"{path} holds an array of shape {stream.shape}, not one column", OTHER_CONTENT)
        return stream.rows(stream.shape[0])
