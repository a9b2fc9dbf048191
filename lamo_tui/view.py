"""How a person looks at things, remembered from one time to the next: theme, order, axis, smoothing, marker."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from platformdirs import user_state_dir

from lamo_core.errors import StorageError
from lamo_core.files import write_bytes
from lamo_core.runs.records import decode, encode

Marker = Literal["braille", "block", "ascii"]


@dataclass(frozen=True)
class View:
    """What is remembered; all of it can be changed by keys."""

    theme: str = ""
    order: str = "age"
    axis: str = "step"
    smoothing: int = 3
    """Index into `curves.SMOOTHING`."""
    marker: Marker = "braille"
    """What curves are drawn with; `raster` says more."""


def view_path() -> Path:
    """Return where it is kept: `LAMO_STATE`, else the user's state folder."""
    return Path(os.environ.get("LAMO_STATE") or user_state_dir("lamo")) / "view.json"


def load_view(path: Path) -> View:
    """Return what was remembered; what is missing, damaged or of another kind takes its default."""
    try:
        values = decode(path.read_bytes()) or {}
    except OSError:
        return View()
    known = {item.name: item.default for item in fields(View)}
    if values.get("marker") not in get_args(Marker):
        values.pop("marker", None)
    return View(**{name: values[name] for name, default in known.items() if type(values.get(name)) is type(default)})


def save_view(view: View, path: Path) -> None:
    """Remember it; that it cannot be written is no reason to trouble anybody."""
    try:
        write_bytes(path, encode(asdict(view)).encode(), "LAMO_STATE=FOLDER")
    except StorageError:
        return
