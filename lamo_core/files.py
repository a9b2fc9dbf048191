"""Writing files so that a reader sees the old content or the whole new one, never half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lamo_core.errors import StorageError


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], elsewhere: str) -> None:
    """Call `write` on a temporary file beside `path`, flush it to disk and rename it over `path`.

    `elsewhere` ends the sentence of the `StorageError` that a full disk or a missing permission raises; it
    says how another place is chosen, such as "--out FOLDER".
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = file.name
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch reports a short write as RuntimeError
        reason = (
            (error.strerror or str(error))
            if isinstance(error, OSError)
            else "the disk is full or it broke off"
        )
        raise StorageError(
            f"could not write {path}: {reason}; free space or choose another place with {elsewhere}"
        ) from error
    finally:
        # gone after the rename; still there when `write` broke off, for whatever reason
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, elsewhere: str) -> None:
    """Write `data` to `path` atomically; raises `StorageError` as `write_atomically` does."""
    write_atomically(path, lambda file: file.write(data), elsewhere)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
