"""Files of a language model's folder: opened only when regular, inside the folder and of a plausible size."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from lamo_core.errors import DataError
from lamo_core.untrusted.parsing import parse_json

SINGLE_FILE, INDEX = "model.safetensors", "model.safetensors.index.json"
_LARGEST = {"config.json": 1 << 23, INDEX: 1 << 26, "tokenizer.json": 1 << 28}
"""Bytes; beyond any that a language model has."""
_USUAL = 1 << 23
_ADAPTER = "adapter_config.json"


def model_file(folder: Path, name: str, *, weights: bool = False) -> Path | None:
    """Return the path of a file of a model's folder, None where there is none.

    A folder from elsewhere may hold a pipe, a device or a link to anything: what is no regular file, leads out of the
    folder or, unless it holds `weights`, is larger than any of its kind raises `DataError` before it is opened.
    """
    path = folder / name
    try:
        target = path.resolve(strict=True)
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError) as error:  # a link to itself is the one or the other
        raise DataError(f"{path} could not be read ({error}); get the model again") from error
    if not target.is_relative_to(_root(folder)):
        raise DataError(f"{path} leads out of its folder, so it is not opened; copy the file itself there")
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is no regular file, so it is not opened; get the model again")
    if not weights and found.st_size > _LARGEST.get(name, _USUAL):
        raise DataError(f"{path} is of {found.st_size:,} bytes, which no {name} has; get the model again")
    return target


def model_text(folder: Path, name: str) -> str | None:
    """Return the text of a file of a model's folder, None where there is none; raises as `model_file`, and `OSError`.

    `ValueError` is raised where it is no UTF-8.
    """
    path = model_file(folder, name)
    return None if path is None else path.read_text(encoding="utf-8")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return every safetensors file of a folder in the order of their names: together they identify the model."""
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    return tuple(path for name in names if (path := model_file(folder, name, weights=True)) is not None)


def loaded_files(folder: Path) -> tuple[Path, ...]:
    """Return the files that hold the model's tensors: one, those that the index names, or else all there are.

    Raises `DataError` for an index that is damaged or names what is not there.
    """
    single = model_file(folder, SINGLE_FILE, weights=True)
    if single is not None:
        return (single,)
    text = model_text(folder, INDEX)
    if text is None:
        return weight_files(folder)
    files = []
    for name in _shards(text, folder / INDEX):
        path = model_file(folder, name, weights=True) if Path(name).name == name else None
        if path is None:
            raise DataError(f"{folder / INDEX} names {name[:80]!r}, which is not beside it; get the model again")
        files.append(path)
    return tuple(files)


def refuse_adapter(folder: Path) -> None:
    """Raise `DataError` for a folder with an adapter: its weights would be changed by what nobody asked for."""
    if (folder / _ADAPTER).exists() or (folder / _ADAPTER).is_symlink():
        raise DataError(
            f"{folder} holds an adapter ({_ADAPTER}), which is not applied: name a folder of the model with the "
            "adapter merged into it (peft's merge_and_unload, then save_pretrained), or take the adapter's files away"
        )


def _shards(text: str, path: Path) -> list[str]:
    try:
        named: Any = parse_json(text)["weight_map"].values()
        return sorted({str(name) for name in named})
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged; get the model again") from error


def _root(folder: Path) -> Path:
    """Return the folder that links may lead into: the hub's cache keeps a model's files beside its snapshots."""
    resolved = folder.resolve()
    in_cache = resolved.parent.name == "snapshots" and resolved.parent.parent.name.startswith("models--")
    return resolved.parent.parent if in_cache else resolved
