"""Untrusted HDF5 files: only plain tables of numbers that lie in the file itself, never more than it can hold.

Links to other files, external and virtual storage, objects and references are refused. Read them in a process of its
own (`isolated`): a damaged file can still crash the HDF5 library. What the library cannot read is damaged; what it
reads and lamo does not take is of another kind.
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

from lamo_core.errors import DamagedDataError, MissingError, UnsupportedDataError

MAX_FILE_BYTES = 64 * 2**30
MAX_UNPACKED_BYTES = 4 * 2**30
_MAX_CHUNK_BYTES = 256 * 2**20
_RATIO = 1_032
"""Deflate packs no more than this many bytes into one."""
_LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError, OverflowError)
"""What h5py raises at damage, depending on where it is."""
_OWN_TABLES = "write all tables into one file, as h5repack does"


class Hdf5File:
    """An open file. Use it in a `with` block; raises `MissingError` and `DataError`.

    `taken` says which tables its reader takes; it is the advice where the file holds others.
    """

    def __init__(self, path: Path, taken: str) -> None:
        self.path = path
        self.taken = taken
        try:
            self._bytes = path.stat().st_size
        except OSError as error:
            raise MissingError(f"there is no file at {path}; check the path") from error
        if not self._bytes:
            self.damaged("it is empty")
        if self._bytes > MAX_FILE_BYTES:
            self.unsupported(f"it has {self._bytes:,} bytes", f"split it into files of up to {MAX_FILE_BYTES:,}")
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
                self.unsupported(f"it has no table {name!r}")
            if found.dtype.kind not in "fiub" or found.dtype.itemsize > 8:
                self.unsupported(f"its table {name!r} does not hold plain numbers")
            if ndim is not None and found.ndim != ndim:
                self.unsupported(f"its table {name!r} has shape {found.shape}")
            self._check_storage(found, name)
        return found

    def pieces(self, name: str) -> Any:
        """Return the table `name` as an unread dataset of rows of bytes of varying lengths."""
        with self.library_errors():
            found = self._find(name)
            if not isinstance(found, h5py.Dataset) or found.ndim != 1:
                self.unsupported(f"it has no table {name!r}")
            if h5py.check_vlen_dtype(found.dtype) != np.uint8:
                self.unsupported(f"its table {name!r} does not hold bytes")
            self._check_storage(found, name)
        return found

    def is_pieces(self, name: str) -> bool:
        """Return whether the table `name` holds pieces of bytes: one column, not of numbers."""
        with self.library_errors():
            found = self._find(name)
            return isinstance(found, h5py.Dataset) and found.ndim == 1 and found.dtype.kind == "O"

    def attributes(self) -> dict[str, str | int]:
        """Return the attributes of the file that are texts or whole numbers."""
        found: dict[str, str | int] = {}
        with self.library_errors():
            for name, value in self._file.attrs.items():
                if isinstance(value, bytes | np.bytes_):
                    value = value.decode("utf-8", "replace")
                if isinstance(value, str | np.integer):
                    found[str(name)] = value if isinstance(value, str) else int(value)
        return found

    def is_group(self, name: str) -> bool:
        """Return whether something of that name is there that holds tables."""
        with self.library_errors():
            return isinstance(self._find(name), h5py.Group)

    def read(self, table: Any, first: int = 0, count: int | None = None) -> NDArray[Any]:
        """Return `count` rows of a table from `first` on; all of them without a count. Numbers must be finite."""
        with self.library_errors():
            last = len(table) if count is None else first + count
            values = np.asarray(table[first:last])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            self.not_finite(table.name.strip("/"))
        return values

    def damaged(self, why: str, cause: BaseException | None = None) -> NoReturn:
        """Raise the error of a file that is not as it was written."""
        raise DamagedDataError(f"{self.path} is no whole HDF5 file: {why}") from cause

    def unsupported(self, why: str, advice: str = "") -> NoReturn:
        """Raise the error of a whole file that lamo does not take; without `advice` it says what is taken."""
        raise UnsupportedDataError(f"{self.path} is not of a kind that lamo takes: {why}", advice or self.taken)

    def not_finite(self, name: str) -> NoReturn:
        """Raise the error of a table with numbers that nothing can be learned from."""
        self.unsupported(
            f"its table {name!r} holds numbers that are not finite",
            "leave out the episodes that hold them and write the others to a new file",
        )

    @contextmanager
    def library_errors(self) -> Iterator[None]:
        """Turn what the library raises at damage into a `DamagedDataError`."""
        try:
            yield
        except _LIBRARY_ERRORS as error:
            self.damaged(f"the HDF5 library cannot read it ({type(error).__name__})", error)

    def _group(self, name: str) -> Any:
        found = self._file if name == "/" else self._find(name)
        if not isinstance(found, h5py.Group):
            self.unsupported(f"it has no group {name!r}")
        return found

    def _find(self, name: str) -> Any:
        """Return what lies at a path, or None; links are not followed."""
        place: Any = self._file
        for part in name.strip("/").split("/"):
            if not isinstance(place, h5py.Group) or part not in place:
                return None
            if not isinstance(place.get(part, getlink=True), h5py.HardLink):
                self.unsupported(f"{name!r} leads elsewhere", _OWN_TABLES)
            place = place[part]
        return place

    def _check_storage(self, table: Any, name: str) -> None:
        if table.is_virtual or table.external:
            self.unsupported(f"its table {name!r} lies in another file", _OWN_TABLES)
        if table.shape is None:
            self.unsupported(f"its table {name!r} is empty")
        size = int(table.dtype.itemsize)
        for part in table.shape:
            size *= int(part)
        self._declared += size
        if self._declared > _RATIO * self._bytes:
            self.damaged(f"it says that its {self._bytes:,} bytes unpack to {self._declared:,}")
        if self._declared > MAX_UNPACKED_BYTES:
            self.unsupported(
                f"its tables unpack to {self._declared:,} bytes", f"split it into files of up to {MAX_UNPACKED_BYTES:,}"
            )
        chunk = int(table.dtype.itemsize)
        for part in table.chunks or ():
            chunk *= int(part)
        if chunk > _MAX_CHUNK_BYTES:
            self.unsupported(
                f"its table {name!r} is stored in chunks of {chunk:,} bytes",
                f"write it anew in chunks of up to {_MAX_CHUNK_BYTES:,}, as h5repack does",
            )
