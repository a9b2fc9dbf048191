"""ZIP archives from outside, opened within bounds: their table of parts must fill their end and tell possible sizes.

Raises `ValueError` (and what `zipfile` raises) for anything else.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

_MOST_PARTS = 100_000
_RATIO, _SMALL = 1_032, 64
"""Deflate packs no more than this many bytes into one, beyond a few."""
_ENCRYPTED = 1
_END, _END64, _PLACE64 = (struct.Struct(form) for form in ("<4s4H2IH", "<4sQ2H2I4Q", "<4sIQI"))
"""The last records of an archive: its end, with and without 64-bit numbers, and where the latter is."""


@contextmanager
def open_archive(file: IO[bytes], most_bytes: int, most_packed: int | None = None) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose parts unpack to at most so many bytes; `most_packed` bounds the file itself."""
    size = os.fstat(file.fileno()).st_size
    if most_packed is not None and size > most_packed:
        raise ValueError("it is larger than any such file")
    _check_end(file, size)
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > most_bytes:
            raise ValueError("it says that it unpacks to more than it holds")
        if len({part.filename for part in parts}) != len(parts):
            raise ValueError("it has two parts of one name")
        for part in parts:
            if part.flag_bits & _ENCRYPTED or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("a part is packed in another way than ours")
            if part.file_size > _RATIO * part.compress_size + _SMALL:
                raise ValueError("a part says that it unpacks to more than it can")
        yield archive


def _check_end(file: IO[bytes], size: int) -> None:
    """Check that the archive ends as Python and PyTorch write it, so that no two readers can take it for two."""
    file.seek(max(0, size - _END.size - _PLACE64.size - _END64.size))
    tail = file.read(_END64.size + _PLACE64.size + _END.size)
    if len(tail) < _END.size:
        raise ValueError("it is cut short or is no archive")
    mark, disk, first, here, parts, length, place, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\x05\x06" or disk or first or here != parts or comment:
        raise ValueError("it is cut short or is no archive")
    end, before = size - _END.size, tail[: -_END.size]
    if before[-_PLACE64.size :].startswith(b"PK\x06\x07"):
        end -= _PLACE64.size + _END64.size
        _, _, at, disks = _PLACE64.unpack(before[-_PLACE64.size :])
        if at != end or disks != 1 or not before.startswith(b"PK\x06\x06"):
            raise ValueError("its end is that of no archive")
        *_, here, parts, length, place = _END64.unpack(before[: _END64.size])
    if here != parts or parts > _MOST_PARTS or place + length != end:
        raise ValueError("its table of parts does not fill its end")
