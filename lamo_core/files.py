"""Writing files so that a reader sees the old content or the whole new one, never half of it; and their order."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from lamo_core.errors import StorageError
from lamo_core.system_parts import NO_FOLLOW, NO_WAIT, NOT_INHERITED, locks_open_files, path_lock, try_lock
from lamo_core.untrusted.regular_file import refuse_linked_folder

_MARK, _ENDING = ".lamo-", ".part"
"""What the names of temporary files and folders begin and end with."""
_OLDER_NAMES = re.compile(r"(?:tmp[a-z0-9_]{8}|\.status-\d+|last\.pt|\d{20}-[0-9a-f]{6})\.part")
_OLD_SECONDS = 3600.0
_cleared: set[Path] = set()
"""Folders that this process has looked through for what killed processes left."""


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], elsewhere: str) -> None:
    """Call `write` on a temporary file beside `path`, flush it to disk and rename it over `path`.

    `elsewhere` ends the sentence of the `StorageError` that a full disk or a missing permission raises; it
    says how another place is chosen, such as "--out FOLDER".
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _could_not(path, error, elsewhere) from error
    replace_file(path, write, elsewhere)


def replace_file(
    path: Path, write: Callable[[IO[bytes]], object], elsewhere: str, *, survives_power_cut: bool = True
) -> None:
    """Do as `write_atomically` does in a folder that is there; flushing to the disk takes time, and can be left out.

    What processes that were killed have left in the folder is deleted at this process's first visit.
    """
    clear_abandoned(path.parent, once=True)
    temporary: Path | None = None
    try:
        refuse_linked_folder(path)
        file = _temporary_file(path.parent)
        temporary = Path(file.name)
        with file:
            write(file)
            file.flush()
            if survives_power_cut:
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise _could_not(path, error, elsewhere) from error
    finally:
        # gone after the rename; still there when `write` broke off, for whatever reason
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in `parent` for work in progress, which is deleted at the end unless it was moved away.

    Raises `OSError`.
    """
    parent.mkdir(parents=True, exist_ok=True)
    clear_abandoned(parent, once=True)
    folder, lock = _temporary_folder(parent)
    try:
        os.chmod(folder, 0o777 & ~_umask())
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def clear_abandoned(folder: Path, *, once: bool = False) -> None:
    """Delete the temporary files and folders that killed processes have left in `folder`; whatever lives is spared.

    Each is locked by its process for as long as that lives, so one that can be locked has none. With `once` nothing is
    done where this process has looked before.
    """
    if once and folder in _cleared:
        return
    _cleared.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_MARK) and entry.name.endswith(_ENDING):
                _delete_abandoned(entry)


def clear_older_versions(folder: Path) -> None:
    """Delete from a folder of lamo's own the temporary files that versions without locks have left an hour ago.

    Only for whoever has made sure that no other process writes there.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            named = _OLDER_NAMES.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            if named and time.time() - entry.stat().st_mtime > _OLD_SECONDS:
                os.unlink(entry.path)


def _delete_abandoned(entry: os.DirEntry[str]) -> None:
    whole = entry.is_dir(follow_symlinks=False)
    if not (whole or entry.is_file(follow_symlinks=False)):
        return
    with suppress(OSError):
        # a folder cannot be opened for writing; a file must be, where locks come from another machine
        if not locks_open_files():
            if time.time() - entry.stat().st_mtime > _OLD_SECONDS:  # nobody works on a file for so long
                shutil.rmtree(entry.path, ignore_errors=True) if whole else os.unlink(entry.path)
            return
        lock = os.open(entry.path, (os.O_RDONLY if whole else os.O_RDWR) | NO_FOLLOW | NO_WAIT | NOT_INHERITED)
        try:
            try_lock(lock)
            if whole:
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        finally:
            os.close(lock)


def _temporary_file(folder: Path) -> IO[bytes]:
    while True:
        file = tempfile.NamedTemporaryFile(dir=folder, prefix=_MARK, suffix=_ENDING, delete=False)  # noqa: SIM115
        if _hold(file.fileno(), file.name):
            return file
        file.close()


def _temporary_folder(parent: Path) -> tuple[Path, int | None]:
    """Return a new folder, and the descriptor that holds its lock; None where a system has no such locks."""
    while True:
        folder = tempfile.mkdtemp(dir=parent, prefix=_MARK, suffix=_ENDING)
        if not locks_open_files():
            return Path(folder), None
        lock = os.open(folder, os.O_RDONLY | NOT_INHERITED)
        if _hold(lock, folder):
            return Path(folder), lock
        os.close(lock)


def _hold(descriptor: int, path: str) -> bool:
    """Lock what was made just now; returns whether it is still there: who clears may have been faster."""
    try:
        try_lock(descriptor)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: then nobody clears it, either
        return True
    return os.path.lexists(path)


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
    except OSError as error:
        raise _could_not(path, error, elsewhere) from error
    with ExitStack() as held:
        try:
            held.enter_context(path_lock(path))
        except OSError as error:
            raise _could_not(path, error, elsewhere) from error
        yield


def _could_not(path: Path, error: OSError | RuntimeError, elsewhere: str) -> StorageError:
    reason, way_out = _explain(error)
    return StorageError(f"could not write {path}: {reason}; {way_out} with {elsewhere}")


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
