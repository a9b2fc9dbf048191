"""HDF5 files of strangers: only plain tables of numbers that lie in the file itself, never more than it can hold.

Links to other files, external and virtual storage, objects and references are refused. Read them in a process of its
own (`isolated`): a damaged file can still crash the HDF5 library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DataError, MissingError

MAX_FILE_BYTES = 64 * 2**30
MAX_UNPACKED_BYTES = 4 * 2**30
_MAX_CHUNK_BYTES = 256 * 2**20
_RATIO = 1_032
"""Deflate packs no more than this many bytes into one."""
_LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError, OverflowError)
"""What h5py raises at damage, depending on where it is."""


class Hdf5File:
    """An open file. Use it in a `with` block; raises `MissingError` and `DataError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._bytes = path.stat().st_size
        except OSError as error:
            raise MissingError(f"there is no file at {path}; check the path") from error
        if not 0 < self._bytes <= MAX_FILE_BYTES:
            self.fail(f"it has {self._bytes:,} bytes")
        self._declared = 0
        with self.library_errors():
            self._file = h5py.File(path, "r")

    def __enter__(self) -> Hdf5File:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.library_errors():
            self._file.close()

    def names(self, group: str = "/") -> list[str]:
        """Return the names in a group."""
        with self.library_errors():
            return [str(name) for name in self._group(group)]

    def has(self, name: str) -> bool:
        """Return whether something of that name is there."""
        with self.library_errors():
            return self._find(name) is not None

    def numbers(self, name: str, *, ndim: int | None = None) -> Any:
        """Return the table `name` as an unread dataset of numbers, its size checked."""
        with self.library_errors():
            found = self._find(name)
            if not isinstance(found, h5py.Dataset):
                self.fail(f"it has no table {name!r}")
            if found.dtype.kind not in "fiub" or found.dtype.itemsize > 8:
                self.fail(f"its table {name!r} does not hold numbers")
            if ndim is not None and found.ndim != ndim:
                self.fail(f"its table {name!r} has shape {found.shape}")
            self._check_storage(found, name)
        return found

    def pieces(self, name: str) -> Any:
        """Return the table `name` as an unread dataset of rows of bytes of varying lengths."""
        with self.library_errors():
            found = self._find(name)
            if not isinstance(found, h5py.Dataset) or found.ndim != 1:
                self.fail(f"it has no table {name!r}")
            if h5py.check_vlen_dtype(found.dtype) != np.uint8:
                self.fail(f"its table {name!r} does not hold bytes")
            self._check_storage(found, name)
        return found

    def is_pieces(self, name: str) -> bool:
        """Return whether the table `name` holds pieces of bytes: one column, not of numbers."""
        with self.library_errors():
            found = self._find(name)
            return isinstance(found, h5py.Dataset) and found.ndim == 1 and found.dtype.kind == "O"

    def read(self, table: Any, first: int = 0, count: int | None = None) -> NDArray[Any]:
        """Return `count` rows of a table from `first` on; all of them without a count. Numbers must be finite."""
        with self.library_errors():
            last = len(table) if count is None else first + count
            values = np.asarray(table[first:last])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            self.fail(f"its table {table.name!r} holds numbers that are not finite")
        return values

    def fail(self, why: str, cause: BaseException | None = None) -> NoReturn:
        """Raise the `DataError` that says what is wrong with the file."""
        raise DataError(f"{self.path} is no usable HDF5 file: {why}; get it again") from cause

    @contextmanager
    def library_errors(self) -> Iterator[None]:
        """Turn what the library raises at damage into a `DataError`."""
        try:
            yield
        except _LIBRARY_ERRORS as error:
            self.fail(f"it is damaged ({type(error).__name__})", error)

    def _group(self, name: str) -> Any:
        found = self._file if name == "/" else self._find(name)
        if not isinstance(found, h5py.Group):
            self.fail(f"it has no group {name!r}")
        return found

    def _find(self, name: str) -> Any:
        """Return what lies at a path, or None; a link that leaves the file is damage."""
        place: Any = self._file
        for part in name.strip("/").split("/"):
            if not isinstance(place, h5py.Group) or part not in place:
                return None
            if not isinstance(place.get(part, getlink=True), h5py.HardLink):
                self.fail(f"{name!r} leads elsewhere")
            place = place[part]
        return place

    def _check_storage(self, table: Any, name: str) -> None:
        if table.is_virtual or table.external:
            self.fail(f"its table {name!r} lies in another file")
        if table.shape is None:
            self.fail(f"its table {name!r} is empty")
        size = int(table.dtype.itemsize)
        for part in table.shape:
            size *= int(part)
        self._declared += size
        if self._declared > min(MAX_UNPACKED_BYTES, _RATIO * self._bytes):
            self.fail(f"it says that its {self._bytes:,} bytes unpack to {self._declared:,}")
        chunk = int(table.dtype.itemsize)
        for part in table.chunks or ():
            chunk *= int(part)
        if chunk > _MAX_CHUNK_BYTES:
            self.fail(f"its table {name!r} is stored in chunks of {chunk:,} bytes")
