"""Archives of plain arrays (`.npz`), which may come from strangers: no objects, of known size, of known shape."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DamagedDataError, MissingError, UnsupportedDataError
from lamo_core.files import write_bytes

Arrays = dict[str, NDArray[Any]]
MAX_BYTES = 2**30
_DAMAGE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError, OverflowError, RuntimeError,
    NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What a damaged archive or array can raise."""


class Form(NamedTuple):
    """What an array must be like."""

    kinds: str
    """NumPy's letters, such as `iu` for whole numbers."""
    ndim: tuple[int, ...] = (0,)


def write_arrays(path: Path, arrays: Mapping[str, Any], *, packed: bool = False) -> None:
    """Write numbers, texts and arrays as an archive, deflated if `packed`; raises `StorageError`."""
    buffer = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue(), "--out FOLDER")


def read_arrays(path: Path, advice: str, forms: Mapping[str, Form] | None = None) -> Arrays:
    """Return the arrays of an archive: all, or those in `forms`, checked.

    Raises `MissingError`, and `DataError` for anything but an archive of them; both end with `advice`.
    """
    if not path.exists():
        raise MissingError(f"there is no {path}; {advice}")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > MAX_BYTES:
                raise DamagedDataError(f"{path} says that it unpacks to more than {MAX_BYTES:,} bytes", advice)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (archive.files if forms is None else forms)}
    except _DAMAGE as error:
        raise DamagedDataError(f"{path} is damaged, or no .npz file of the arrays that are wanted", advice) from error
    for name, form in (forms or {}).items():
        if arrays[name].dtype.kind not in form.kinds or arrays[name].ndim not in form.ndim:
            raise UnsupportedDataError(f"{path} holds another kind of {name} than is wanted", advice)
    return arrays
