"""How a run directory is made, and what it says about the run for ever."""

from __future__ import annotations

import functools
import os
import platform
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.errors import LamoError, UsageError
from lamo_core.files import scratch_folder, write_bytes
from lamo_core.places import runs_dir
from lamo_core.runs.directory import ELSEWHERE, REMOVED, SCHEMA, RunDirectory, storage_error
from lamo_core.runs.records import encode
from lamo_core.runs.status import Status, write_status
from lamo_core.untrusted.regular_file import RUN_FILE
from lamo_core.version import __version__

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_ID = re.compile(rf"\d{{8}}-\d{{6}}-.+-s\d+-[{_LETTERS}]{{4}}")
_HALF_AFTER = 3600.0
_PACKAGES = ("torch", "transformers", "peft", "numpy", "ale-py", "gymnasium")


def create_run(root: Path | None, config: RunConfig, origins: Mapping[str, str], argv: Sequence[str]) -> RunDirectory:
    """Make the folder of a new run with its run.json and the state `queued`; never touches an existing one.

    `root` None is `places.runs_dir()`. Raises `StorageError` when it cannot be written to.
    """
    root = root or runs_dir()
    try:
        description = (encode(_describe(config, origins, argv)) + "\n").encode()
        str(root).encode()
    except UnicodeEncodeError as error:
        raise UsageError("a name of the run, its folder or its command is no UTF-8; rename it") from error
    _clear_half_runs_once(root)
    try:
        # out of sight until it is whole: half a run would be in everybody's way
        with scratch_folder(root) as hidden:
            run = RunDirectory(hidden)
            for folder in (run.control, run.checkpoints, run.replays):
                folder.mkdir()
            write_bytes(run.run_file, description, ELSEWHERE)
            write_status(run, Status(state="queued", total=config.optim.steps, heartbeat=time.time()))
            return _named(hidden, root, config)
    except OSError as error:
        raise storage_error(root, error) from error


def _named(hidden: Path, root: Path, config: RunConfig) -> RunDirectory:
    """Give a run's folder its name; raises `OSError`."""
    name = re.sub(r"[^A-Za-z0-9.+_-]+", "-", config.name).strip("-.")[:60] or "run"
    for _ in range(100):
        # UTC, so that ids sort by time whatever the clock's zone; the random part is no stream of the seed
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        ending = "".join(secrets.choice(_LETTERS) for _ in range(4))
        path = Path(os.path.abspath(root)) / f"{stamp}-{name}-s{config.seed}-{ending}"
        if not os.path.lexists(path):
            os.rename(hidden, path)
            return RunDirectory(path)
    raise LamoError(f"could not find a free run id in {root}")


_clear_half_runs_once = functools.cache(lambda root: clear_half_runs(root))


def clear_half_runs(root: Path) -> None:
    """Delete what earlier versions left of runs that were killed while they were made, and of runs that were deleted.

    Half a run has an id for its name and holds nothing but empty folders and temporary files; making it took
    milliseconds, so after an hour nobody works on it.
    """
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            left = entry.name.startswith(REMOVED) or (_ID.fullmatch(entry.name) and _holds_nothing(entry.path))
            if left and entry.is_dir(follow_symlinks=False) and time.time() - entry.stat().st_mtime > _HALF_AFTER:
                shutil.rmtree(entry.path, ignore_errors=True)


def _holds_nothing(folder: str) -> bool:
    if os.path.lexists(os.path.join(folder, RUN_FILE)):  # a whole run, which is found out at once
        return False
    return all(name.endswith(".part") for _, _, names in os.walk(folder) for name in names)


def _describe(config: RunConfig, origins: Mapping[str, str], argv: Sequence[str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": config.name,
        "created": time.time(),
        "seed": config.seed,
        "config": config.to_dict(),
        "origins": dict(origins),
        "argv": list(argv),
        "versions": _versions(),
        "git": _git_commit(),
        "host": socket.gethostname(),
        "machine": {"system": platform.platform(), "processor": processor(), "cpus": usable_cpus()},
    }


def usable_cpus() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    versions = {"python": ".".join(map(str, sys.version_info[:3])), "lamo": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git_commit() -> str | None:
    """Return the commit of the checkout that this code runs from; None when it is installed."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(top), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
