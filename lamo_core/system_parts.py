"""What not every operating system has: locks of open files, limits of a process, some signals, opening without links.

Everything that only some systems offer is asked for here, so that the rest of lamo runs on all of them. `LACKING` names
what this one lacks and what follows from it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
NOT_INHERITED = getattr(os, "O_CLOEXEC", 0) or getattr(os, "O_NOINHERIT", 0)
BINARY = getattr(os, "O_BINARY", 0)
"""Flags of `os.open`; 0 where there are none."""
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_BY_FOLDER = bool(NO_FOLLOW and _DIRECTORY) and os.open in os.supports_dir_fd

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Ends a process at once."""


def try_lock(descriptor: int) -> None:
    """Lock an open file or folder for as long as it is open.

    Raises `BlockingIOError` where another process has it. Where there are no such locks nothing is done, and two at
    once stay possible.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def locks_open_files() -> bool:
    """Return whether an open file can be locked: what is locked by nobody then belongs to no process."""
    return fcntl is not None


@contextmanager
def path_lock(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, after whoever holds it; a process that ends lets go of it.

    A file system without locks lets several in. Raises `OSError` where the file cannot be made.
    """
    if fcntl is None:
        from filelock import FileLock

        with FileLock(path.with_name(f"{path.name}.held")):
            yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NOT_INHERITED | NO_FOLLOW, 0o666)
    try:
        with suppress(OSError):  # a file system without locks: then two at once stay possible
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_folder(path: str) -> int | None:
    """Return a descriptor of a folder, to open files in it; None where a system has none.

    Raises `OSError` for a link.
    """
    if not _BY_FOLDER:
        return None
    return os.open(path, os.O_RDONLY | _DIRECTORY | NO_FOLLOW | NOT_INHERITED | NO_WAIT)


def handled_signals(*names: str) -> list[signal.Signals]:
    """Return the signals of these names, without those that this system lacks."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def limit_memory(most: int) -> None:
    """Let this process take so many bytes at most and leave no core file, where a system has such limits."""
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (soft, hard, most) if limit != resource.RLIM_INFINITY]
    with suppress(ValueError, OSError):  # macOS has the limit and lets nobody set it
        resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))


def lacking() -> list[tuple[str, str]]:
    """Return what this system lacks, and what follows from that for whoever uses lamo."""
    found = []
    if fcntl is None:
        found.append(("locks of open files", "fetch a set, or make one, in one process at a time"))
    if resource is None:
        found.append(("limits of memory", "the reader of foreign data sets is not held to 8 GB"))
    if not _BY_FOLDER:
        found.append(("opening without links", "do not open runs of strangers while somebody changes their folder"))
    if not handled_signals("SIGUSR1"):
        found.append(("SIGUSR1", "save a checkpoint with `lamo runs save`"))
    if not handled_signals("SIGHUP"):
        found.append(("SIGHUP", "closing the terminal ends a run at once; start it with --detach"))
    if not hasattr(os, "fork"):
        found.append(("pseudo-terminals", "`lamo benchmark tui` does not run"))
    return found
