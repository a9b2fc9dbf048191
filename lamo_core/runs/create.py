"""How a run directory is made, and what it says about the run for ever."""

from __future__ import annotations

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
from importlib import metadata
from pathlib import Path
from typing import Any

from lamo_core import __version__
from lamo_core.config import RunConfig
from lamo_core.errors import LamoError, UsageError
from lamo_core.files import write_bytes
from lamo_core.places import runs_dir
from lamo_core.runs.directory import ELSEWHERE, SCHEMA, RunDirectory, storage_error
from lamo_core.runs.records import encode
from lamo_core.runs.status import Status, write_status

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
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
    run = _new_folder(root, config)
    try:
        for folder in (run.control, run.checkpoints, run.replays):
            folder.mkdir()
        write_bytes(run.run_file, description, ELSEWHERE)
        write_status(run, Status(state="queued", total=config.optim.steps, heartbeat=time.time()))
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)  # half a run would be in everybody's way
        raise storage_error(run.path, error) from error
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def _new_folder(root: Path, config: RunConfig) -> RunDirectory:
    name = re.sub(r"[^A-Za-z0-9.+_-]+", "-", config.name).strip("-.")[:60] or "run"
    for _ in range(100):
        # UTC, so that ids sort by time whatever the clock's zone; the random part is no stream of the seed
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        ending = "".join(secrets.choice(_LETTERS) for _ in range(4))
        path = Path(os.path.abspath(root)) / f"{stamp}-{name}-s{config.seed}-{ending}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except FileExistsError as error:
            if not root.is_dir():
                raise storage_error(root, error) from error
            continue
        except OSError as error:
            raise storage_error(path, error) from error
        return RunDirectory(path)
    raise LamoError(f"could not find a free run id in {root}")


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
