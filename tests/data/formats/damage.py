"""Damages files, and checks that a reader refuses them in one clear sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from lamo_core.errors import DataError, LamoError, MissingError, TaskMismatchError

MOST_MEMORY = 400_000
"""Kilobytes that reading damaged files may add to a process."""

Read = Callable[[Path], object]


def damaged(whole: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` files that differ from `whole`: cut, flipped, overwritten, blanked, moved, longer, empty."""
    rng = np.random.default_rng(seed)
    yield b""
    made = 1
    while made < count:
        content = bytearray(whole)
        place, size = int(rng.integers(0, len(whole))), int(rng.integers(1, 64))
        kind = made % 7
        if kind == 0:
            del content[place:]
        elif kind in (1, 2):
            content[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 3:
            content[place : place + size] = rng.bytes(min(size, len(whole) - place))
        elif kind == 4:
            content[place : place + size] = bytes(min(size, len(whole) - place))
        elif kind == 5:
            del content[place : place + size]
        else:
            content[place:place] = rng.bytes(size)
        if bytes(content) != whole:
            made += 1
            yield bytes(content)


def refuse(read: Read, path: Path, contents: Iterable[bytes], *, always: bool = True) -> int:
    """Read every content; each must end in one clear sentence. Returns how many were refused."""
    refused = 0
    for number, content in enumerate(contents):
        path.write_bytes(content)
        try:
            read(path)
        except LamoError as error:
            refused += 1
            check_sentence(error)
        else:
            assert not always, f"file {number} of {path.name} was read"
    return refused


def check_sentence(error: LamoError) -> None:
    """Fail unless the error blames the data in one short line that says what to do."""
    assert isinstance(error, DataError | MissingError | TaskMismatchError), error
    assert "\n" not in str(error)
    assert len(str(error)) < 600
    assert ";" in str(error), f"{error} says nothing to do"
