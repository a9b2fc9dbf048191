"""Opening of untrusted files: regular ones alone, and in a run's folder no links.

A pipe would be waited for, a device never ends, and a link in a folder that somebody sent leads to files of ours.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

from lamo_core.system_parts import BINARY, NO_FOLLOW, NO_WAIT, NOT_INHERITED, open_folder

RUN_FILE = "run.json"
"""The file that makes a folder a run's."""
_LINK = "it is a link, which is not followed in the folder of a run"
_MODES = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> IO[bytes]:
    """Open a file by the `flags` of `os.open`; raises `OSError` as that does, and for links, pipes, devices, folders.

    A link is refused where the file lies in a run's folder or a folder in it; the run's own folder may be one.
    """
    return os.fdopen(_descriptor(path, flags), "ab" if flags & os.O_APPEND else _MODES[flags & os.O_ACCMODE])


def read_regular(path: str | Path, most: int) -> bytes:
    """Return what a file holds; raises `OSError` as `open_regular` does, and for one of more bytes than `most`."""
    descriptor = _descriptor(path, os.O_RDONLY)
    try:
        if os.fstat(descriptor).st_size > most:
            raise OSError(errno.EFBIG, "it is larger than any such file", str(path))
        parts = [os.read(descriptor, most + 1)]
        while parts[-1]:
            parts.append(os.read(descriptor, most + 1))
            if sum(map(len, parts)) > most:  # it grows while it is read
                raise OSError(errno.EFBIG, "it is larger than any such file", str(path))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def refuse_linked_folder(path: Path) -> None:
    """Raise `OSError` where a file would be written through a link in the folder of a run."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.islink(folder) and _is_run(os.path.dirname(folder)):
        raise OSError(errno.ELOOP, _LINK, folder)


def links_in(run: Path) -> list[Path]:
    """Return the links in a run's folder and in the folders in it."""
    found = [entry for entry in os.scandir(run) if entry.is_symlink()]
    folders = [entry for entry in os.scandir(run) if entry.is_dir(follow_symlinks=False)]
    found += [entry for folder in folders for entry in os.scandir(folder) if entry.is_symlink()]
    return sorted(Path(entry.path) for entry in found)


def _descriptor(path: str | Path, flags: int) -> int:
    whole = os.path.abspath(path)
    folder, name = os.path.split(whole)
    if _is_run(folder):
        descriptor = _open(whole, flags, whole, follow=False)
    elif _is_run(os.path.dirname(folder)):
        inner = _open_inner(folder)
        try:
            descriptor = _open(whole if inner is None else name, flags, whole, inner, follow=False)
        finally:
            if inner is not None:
                os.close(inner)
    else:
        descriptor = _open(whole, flags, whole)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", whole)
    return descriptor


def _is_run(folder: str) -> bool:
    return os.path.lexists(f"{folder}/{RUN_FILE}")


def _open_inner(folder: str) -> int | None:
    """Return a descriptor of a folder in a run, None where a system has none; raises `OSError` for a link."""
    if os.path.islink(folder):
        raise OSError(errno.ELOOP, _LINK, folder)
    try:
        return open_folder(folder)
    except OSError as error:
        raise OSError(error.errno, _LINK if os.path.islink(folder) else error.strerror, folder) from error


def _open(name: str, flags: int, path: str, folder: int | None = None, *, follow: bool = True) -> int:
    if not follow and not NO_FOLLOW and os.path.islink(path):
        raise OSError(errno.ELOOP, _LINK, path)
    flags |= NOT_INHERITED | NO_WAIT | BINARY | (0 if follow else NO_FOLLOW)
    try:
        return os.open(name, flags, 0o666) if folder is None else os.open(name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        linked = not follow and os.path.islink(path)
        raise OSError(error.errno, _LINK if linked else error.strerror, path) from error
