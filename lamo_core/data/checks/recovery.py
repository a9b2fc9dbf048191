"""Recovery advice for damaged files of data sets, by where they lie: what ships, what is yours, and what is neither."""

from __future__ import annotations

from pathlib import Path

from lamo_core.data.store.local import SOURCES, again
from lamo_core.places import assets_dir, collected_dir, data_dir


def recovery_advice(path: Path) -> str:
    """Return what brings back the set that a damaged file belongs to; a file that is no set's is to be had again."""
    if path.is_relative_to(assets_dir()):
        return "install lamo-rl again"
    if path.is_relative_to(collected_dir()):
        return f"delete it with `lamo data rm {path.stem}` and collect it again"
    for source in SOURCES:
        root = data_dir() / source
        if path.is_relative_to(root) and path.parent != root:
            return again(source, path.parent.relative_to(root).as_posix())
    return "get it again"
