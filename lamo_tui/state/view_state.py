"""How a person looks at things, remembered from one time to the next for each folder of runs.

Two files in the user's state folder, never in a folder of runs: `view.json` holds what was chosen last anywhere, for
folders that were never looked at, and `folders/` one file for each that was.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from lamo_core.errors import StorageError
from lamo_core.files import write_bytes
from lamo_core.places import state_dir
from lamo_core.runs.records import decode, encode

Marker = Literal["braille", "block", "ascii"]

_ANYWHERE = ("theme", "order", "axis", "smoothing", "marker", "columns")
"""What a folder that was never looked at takes over from the last one."""
_MOST_FOLDERS, _MOST_BYTES, _MOST_ENTRIES, _LONGEST = 64, 1 << 16, 100, 250
"""Folders, bytes of a file, entries of a list and characters of a text; what is more is forgotten."""


@dataclass(frozen=True)
class View:
    """What is remembered; all of it can be changed by keys."""

    theme: str = ""
    """The same in all folders."""
    order: str = "age"
    axis: str = "step"
    smoothing: int = 3
    """Index into `curves.SMOOTHING`."""
    marker: Marker = "braille"
    """What curves are drawn with; `raster` says more."""
    query: str = ""
    """The filter of the list."""
    pinned: tuple[str, ...] = ()
    by_seed: bool = False
    columns: tuple[str, ...] = ()
    """Of the list; none leaves the choice to the room that there is."""
    table: bool = False
    """Whether the list is a table of results and settings."""
    opened: str = ""
    """The run that was opened last."""
    panel: str = ""
    """Of the Run screen; empty where none was chosen."""
    log_shown: str = ""
    """A name of `run_log.FILTERS`."""
    chart: str = ""
    maximised: bool = False
    log_x: bool = False
    log_y: tuple[str, ...] = ()
    """Charts whose y axis is logarithmic."""
    span: float = 0.0
    """Of the x axis, in view; 0 is all of it. `viewport` says more."""
    end: float = 0.0
    follow: bool = True


def load_view(root: Path, state: Path | None = None) -> View:
    """Return what was remembered of a folder of runs, and else of any.

    What is missing, damaged, too long or of another kind takes its default.
    """
    state = state or state_dir()
    anywhere = _read(state / "view.json")
    view = replace(View(), **{name: value for name, value in anywhere.items() if name in _ANYWHERE})
    found = _read(_file_of(root, state))
    return replace(view, **{name: value for name, value in found.items() if name != "theme"})


def save_view(view: View, root: Path, state: Path | None = None) -> None:
    """Remember it; that it cannot be written is no reason to trouble anybody."""
    state = state or state_dir()
    values = asdict(view)
    file = _file_of(root, state)
    with suppress(StorageError, OSError):
        anywhere = {name: values[name] for name in _ANYWHERE}
        write_bytes(state / "view.json", encode(anywhere).encode(), "LAMO_STATE=FOLDER")
        bounded = {name: _bounded(value) for name, value in values.items() if name != "theme"}
        write_bytes(file, encode({"folder": str(root.absolute()), **bounded}).encode(), "LAMO_STATE=FOLDER")
        oldest_first = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in oldest_first[:-_MOST_FOLDERS]:
            path.unlink(missing_ok=True)


def _file_of(root: Path, state: Path) -> Path:
    name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return state / "folders" / f"{name}.json"


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    return [entry[:_LONGEST] for entry in value[:_MOST_ENTRIES]] if isinstance(value, tuple) else value


def _read(path: Path) -> dict[str, Any]:
    """Return the fields in a file that have the kind that they should."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        values = decode(path.read_bytes()) or {}
    except OSError:
        return {}
    found = {}
    for item in fields(View):
        value = values.get(item.name)
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            value = tuple(value[:_MOST_ENTRIES])
        elif type(value) is int and isinstance(item.default, float):
            value = float(value)
        if type(value) is type(item.default) and _makes_sense(item.name, value):
            found[item.name] = value
    return found


def _makes_sense(name: str, value: Any) -> bool:
    if name == "marker":
        return value in get_args(Marker)
    if isinstance(value, float):
        return math.isfinite(value) and (name != "span" or value >= 0)
    return True
