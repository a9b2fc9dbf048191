"""The commands that do the work of a run in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from lamo_core.runs.queue.runner import ensure_runner

TRAIN = (sys.executable, "-m", "lamo_tui.cli.app", "train", "--background")
"""Trains in the background; `--adopt FOLDER` or `--resume CHECKPOINT` follows."""


def wait_for_device(root: Path) -> None:
    """Start the process that serves the queue of a folder, unless one does already; raises `StorageError`."""
    ensure_runner(root, TRAIN)
