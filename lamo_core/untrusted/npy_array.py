"""NumPy's `.npy` arrays from outside: the header is matched, never evaluated, and no Python object is ever made."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY"
MAX_HEADER = 4_096
_HEADER = re.compile(
    r"\{\s*'descr':\s*'(?P<descr>[<>|=]?[a-zA-Z]\d{1,7})',\s*'fortran_order':\s*(?P<fortran>True|False),"
    r"\s*'shape':\s*\((?P<shape>[0-9, ]{0,100})\),?\s*\}\s*"
)
_KINDS = "biufUS"
"""Numbers and texts."""


@dataclass(frozen=True)
class NpyHeader:
    """What stands before the numbers of an array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    columns: bool
    """Whether it is stored column by column."""

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers, exactly, however absurd they are."""
        size = self.dtype.itemsize
        for part in self.shape:
            size *= part
        return size


def header_start(start: bytes) -> int:
    """Return how many bytes the length of the header takes, from the first eight; raises `ValueError`."""
    if len(start) < 8 or not start.startswith(_MAGIC) or start[6] not in (1, 2, 3):
        raise ValueError("it holds no array")
    return 2 if start[6] == 1 else 4


def parse_header(text: bytes) -> NpyHeader:
    """Return what a header says; raises `ValueError`."""
    match = _HEADER.fullmatch(text.decode("latin-1")) if len(text) <= MAX_HEADER else None
    if match is None:
        raise ValueError("the header of its array is damaged")
    shape = tuple(int(part) for part in match["shape"].split(",") if part.strip())
    try:
        dtype = np.dtype(match["descr"])
    except (TypeError, ValueError) as error:
        raise ValueError("its numbers are of an unknown kind") from error
    if dtype.kind not in _KINDS or len(shape) > 32:
        raise ValueError("its array holds neither numbers nor texts")
    return NpyHeader(dtype, shape, match["fortran"] == "True" and len(shape) > 1)


def parse_npy(content: bytes) -> NDArray[Any]:
    """Return the array that a whole file holds, of its own memory; raises `ValueError` for anything else."""
    width = header_start(content[:8])
    end = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    if end > len(content):
        raise ValueError("the header of its array has an impossible length")
    header = parse_header(content[8 + width : end])
    if header.nbytes != len(content) - end:
        raise ValueError("its array has another size than its header says")
    numbers = np.frombuffer(content, header.dtype, offset=end) if header.nbytes else np.empty(0, header.dtype)
    if header.dtype.kind == "U" and header.nbytes and _codes(numbers).max() > sys.maxunicode:
        raise ValueError("its texts hold letters that do not exist")
    return numbers.reshape(header.shape, order="F" if header.columns else "C").copy()


def _codes(texts: NDArray[np.str_]) -> NDArray[np.uint32]:
    """Return the numbers of the letters of an array of texts, four bytes each."""
    return texts.view(np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder))


def map_npy(path: Path) -> NDArray[Any]:
    """Return the array in a file, read from the disk as it is looked at; raises `OSError` and `ValueError`."""
    with open(path, "rb") as file:
        width = header_start(file.read(8))
        end = 8 + width + (size := int.from_bytes(file.read(width), "little"))
        header = parse_header(file.read(min(size, MAX_HEADER + 1)))
        if header.nbytes != os.fstat(file.fileno()).st_size - end:
            raise ValueError("its array has another size than its header says")
        return np.memmap(file, header.dtype, "r", end, header.shape, "F" if header.columns else "C")
