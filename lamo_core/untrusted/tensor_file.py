"""Files of `torch.save` from outside, read only after a walk through them: plain data and whole tensors, nothing else.

PyTorch's own `weights_only` keeps a file from running code, not from taking memory and time: a few bytes may ask for a
`bytearray` of gigabytes, for a key whose hash takes years, or for a tensor larger than the file. So the very bytes that
it will read are walked first, opcode by opcode, with a stack of stand-ins: every count is bounded, and every size that
is claimed by the bytes that are there.

The layout: an uncompressed ZIP archive with `data.pkl`, a pickle of protocol 2, and one part `data/N` for each storage.
"""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

from lamo_core.errors import CheckpointError, DeviceError, UsageError
from lamo_core.out_of_memory import ANYTHING, is_out_of_memory
from lamo_core.untrusted.pickle_walk import Forbidden, Malformed, walk
from lamo_core.untrusted.plain_text import one_line
from lamo_core.untrusted.regular_file import open_regular
from lamo_core.untrusted.zip_archive import open_archive

_PART = re.compile(r"[^/]+/(data\.pkl|byteorder|version|\.format_version|\.storage_alignment|\.data/serialization_id"
                   r"|data/\d{1,10})")  # fmt: skip


def load_tensors(path: Path, advice: str) -> Any:
    """Return what a file of `torch.save` holds, tensors on the CPU.

    Raises `UsageError` where it cannot be read, and for anything but plain data and whole tensors a `CheckpointError`
    that ends with `advice`; `DeviceError` without memory for it.
    """
    try:
        with open_regular(path) as file:
            return _load(file)
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror or error}") from error
    except (Forbidden, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} holds more than plain tensors, so it was not opened ({one_line(error)}); {advice}"
        ) from error
    except Exception as error:  # a damaged archive surfaces as many kinds of errors
        if is_out_of_memory(error):
            raise DeviceError(f"this machine has no memory left to read {path}; {ANYTHING}") from error
        raise CheckpointError(f"{path} is damaged: {one_line(error)}; {advice}") from error


def _load(file: IO[bytes]) -> Any:
    parts = _parts_of(file)
    file.seek(0)
    reader: Any = torch._C.PyTorchFileReader(file)
    _check_that_torch_sees(reader, parts)
    sizes = {name.removeprefix("data/"): size for name, (size, _) in parts.items() if name.startswith("data/")}
    walk(reader.get_record("data.pkl"), sizes)
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=True)


def _parts_of(file: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Return size and place of the content of each part, by its name without the archive's."""
    with open_archive(file, os.fstat(file.fileno()).st_size) as archive:
        found = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED or part.file_size != part.compress_size for part in found):
        raise Malformed("it is packed in a way that PyTorch does not write")
    tops = {part.filename.partition("/")[0] for part in found}
    parts = {part.filename.partition("/")[2]: (part.file_size, part.header_offset) for part in found}
    if len(tops) != 1 or len(parts) != len(found) or not all(_PART.fullmatch(part.filename) for part in found):
        raise Malformed("it has other parts than a checkpoint")
    if "data.pkl" not in parts:
        raise Malformed("it is an archive without data.pkl")
    return parts


def _check_that_torch_sees(reader: Any, parts: dict[str, tuple[int, int]]) -> None:
    """Check that PyTorch finds the same parts, each where its content begins behind its header."""
    if set(reader.get_all_records()) != set(parts):
        raise Malformed("its parts are not told alike by two readers")
    for name, (_, header) in parts.items():
        if not 0 < reader.get_record_offset(name) - header < 1 << 16:
            raise Malformed("its parts do not lie where its table says")
