"""Data sets in the making: a set is there with its card, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamo_core.errors import StorageError
from lamo_core.files import scratch_folder, write_bytes


def publish(path: Path, write: Callable[[Path], str], card_of: Callable[[str, int], dict[str, Any]]) -> dict[str, Any]:
    """Write a set's file and its card, and return the card; a kill in between leaves no set instead of half a one.

    `write` makes the file and returns its SHA-256, `card_of` takes that and its size. Raises `StorageError`.
    """
    try:
        with scratch_folder(path.parent) as scratch:
            hidden = scratch / path.name
            card = card_of(write(hidden), hidden.stat().st_size)
            write_bytes(path.with_suffix(".json"), json.dumps(card, indent=1).encode() + b"\n", "--out FOLDER")
            os.replace(hidden, path)
    except OSError as error:
        raise StorageError(
            f"could not write {path}: {error.strerror or error}; free space or choose another place with --out FOLDER"
        ) from error
    return card
