"""The trash of a runs folder: deleted runs that can be brought back for some days."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from lamo_core.errors import UsageError
from lamo_core.runs.directory import RunDirectory, storage_error
from lamo_core.runs.manage import erase, require_idle

KEPT_DAYS = 7
"""For at least so long a run can be brought back; afterwards the next one that is trashed makes room."""
_FORM = re.compile(r"\.trashed-(\d{1,15})-(.+)")


def trash_run(run: RunDirectory, when: float | None = None) -> None:
    """Move a run, or the link to it, out of sight; those trashed at one moment `when` come back together.

    Deletes for good what was trashed long ago. Raises `UsageError` while a process works on it and `StorageError` if
    it cannot be moved.
    """
    run.read_info()
    require_idle(run)
    now = time.time() if when is None else when
    _move(run.path, run.path.with_name(f".trashed-{int(now)}-{run.id}"))  # beside it, as a link may be relative
    for stamp, path in trashed(run.path.parent):
        if now - stamp > KEPT_DAYS * 86_400:
            erase(path)


def restore_newest(root: Path) -> list[str]:
    """Bring back what was trashed last and return its ids; raises `UsageError` where there is nothing, or where one of
    the runs is there again."""
    found = trashed(root)
    if not found:
        raise UsageError("nothing was deleted that can be brought back")
    newest = [path for stamp, path in found if stamp == found[-1][0]]
    homes = [path.with_name(_id_of(path)) for path in newest]
    for home in homes:
        if os.path.lexists(home):
            raise UsageError(f"{home.name} is there again; move {home} away to bring back the one that was deleted")
    for path, home in zip(newest, homes, strict=True):
        _move(path, home)
    return [home.name for home in homes]


def empty_trash(root: Path) -> list[str]:
    """Delete for good all that is in the trash and return the ids; raises `StorageError` if it cannot."""
    found = [path for _, path in trashed(root)]
    for path in found:
        erase(path)
    return [_id_of(path) for path in found]


def trashed(root: Path) -> list[tuple[int, Path]]:
    """Return when each run was trashed, seconds since 1970, and where it lies now; oldest first."""
    try:
        names = os.listdir(root)
    except OSError:
        return []
    return sorted((int(found[1]), root / name) for name in names for found in [_FORM.fullmatch(name)] if found)


def _id_of(path: Path) -> str:
    found = _FORM.fullmatch(path.name)
    assert found is not None  # only paths of `trashed` come here
    return found[2]


def _move(path: Path, to: Path) -> None:
    try:
        os.rename(path, to)
    except OSError as error:
        raise storage_error(path, error) from error
