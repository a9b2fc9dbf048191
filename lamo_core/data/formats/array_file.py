"""Archives of plain arrays (`.npz`), which may be untrusted: no objects, of known size, of known shape."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lamo_core.errors import DamagedDataError, MissingError, UnsupportedDataError
from lamo_core.files import write_bytes
from lamo_core.untrusted.npy_array import parse_npy
from lamo_core.untrusted.plain_text import one_line
from lamo_core.untrusted.regular_file import open_regular
from lamo_core.untrusted.zip_archive import open_archive

Arrays = dict[str, NDArray[Any]]
MAX_BYTES = 2**30
_RATIO, _ALWAYS = 200, 2**26
"""No more bytes are unpacked from one than this, beyond a size that does no harm."""
_DAMAGE = (OSError, ValueError, LookupError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error)
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


def read_arrays(
    path: Path,
    advice: str,
    forms: Mapping[str, Form] | None = None,
    optional: Mapping[str, Form] | None = None,
    what: str = ".npz file of the arrays that are wanted",
) -> Arrays:
    """Return the arrays of an archive: all, or those in `forms` and those in `optional` that it has, checked.

    Raises `MissingError`, and `DataError` for anything but an archive of them, which is `what`; both end with `advice`.
    """
    try:
        with open_regular(path) as file:
            arrays = _arrays(file, forms, optional or {})
    except FileNotFoundError as error:
        raise MissingError(f"there is no {path}; {advice}") from error
    except _DAMAGE as error:
        why = f" ({one_line(error)})" if isinstance(error, ValueError) else ""
        raise DamagedDataError(f"{path} is damaged or no {what}{why}", advice) from error
    for name, form in {**(forms or {}), **(optional or {})}.items():
        if name not in arrays:
            continue
        if arrays[name].dtype.kind not in form.kinds or arrays[name].ndim not in form.ndim:
            raise UnsupportedDataError(f"{path} holds another kind of {name} than is wanted", advice)
    return arrays


def _arrays(file: IO[bytes], forms: Mapping[str, Form] | None, optional: Mapping[str, Form]) -> Arrays:
    most = min(MAX_BYTES, max(_ALWAYS, _RATIO * os.fstat(file.fileno()).st_size))
    with open_archive(file, most) as archive:
        there = [part.removesuffix(".npy") for part in archive.namelist()]
        names = there if forms is None else [*forms, *(name for name in optional if name in there)]
        return {name: parse_npy(archive.read(f"{name}.npy")) for name in names}
