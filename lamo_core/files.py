"""Writing files so that a reader sees the old content or the whole new one, never half of it; and their order."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lamo_core.errors import StorageError
from lamo_core.regular_file import refuse_linked_folder


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], elsewhere: str) -> None:
    """Call `write` on a temporary file beside `path`, flush it to disk and rename it over `path`.

    `elsewhere` ends the sentence of the `StorageError` that a full disk or a missing permission raises; it
    says how another place is chosen, such as "--out FOLDER".
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_linked_folder(path)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = file.name
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        reason, way_out = _explain(error)
        raise StorageError(f"could not write {path}: {reason}; {way_out} with {elsewhere}") from error
    finally:
        # gone after the rename; still there when `write` broke off, for whatever reason
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, elsewhere: str) -> None:
    """Write `data` to `path` atomically; raises `StorageError` as `write_atomically` does."""
    write_atomically(path, lambda file: file.write(data), elsewhere)


@contextmanager
def locked(path: Path, elsewhere: str) -> Iterator[None]:
    """Hold the lock that the file `path` stands for, after whoever holds it; a process that ends lets go of it.

    Raises `StorageError` as `write_atomically` does.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        reason, way_out = _explain(error)
        raise StorageError(f"could not write {path}: {reason}; {way_out} with {elsewhere}") from error
    try:
        with suppress(OSError):  # a file system without locks: then two at once stay possible
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _explain(error: OSError | RuntimeError) -> tuple[str, str]:
    """Return what went wrong and what can be done about it."""
    if isinstance(error, RuntimeError):  # torch reports a short write as RuntimeError
        return "the disk is full or it broke off", "free space or choose another place"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return error.strerror or str(error), f"{'free space or ' if full else ''}choose another place"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def numbered_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder that are named by their step, oldest first."""
    # a millionth step has a digit more than names are padded to, and would come first by name
    return sorted(folder.glob("[0-9]*.pt"), key=lambda path: (len(path.name), path.name))
