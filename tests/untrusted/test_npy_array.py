"""Headers of NumPy's files: matched, never evaluated, and believed only where the bytes are there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamo_core.untrusted.npy_array import map_npy, parse_npy


def saved(array: NDArray[Any], version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=False)
    return file.getvalue()


ARRAYS: list[NDArray[Any]] = [
    np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array(3), np.zeros(1, np.uint8),
    np.zeros((0, 4), np.float16), np.array(["é", "abc"]), np.array(b"raw"), np.array([True, False]),
    np.arange(4, dtype=">i4"),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_arrays_come_back(array: NDArray[Any], version: tuple[int, int], tmp_path: Path) -> None:
    content = saved(array, version)
    read = parse_npy(content)
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(read, array)
    assert read.flags.writeable
    (tmp_path / "a.npy").write_bytes(content)
    if array.nbytes:
        np.testing.assert_array_equal(map_npy(tmp_path / "a.npy"), array)


@pytest.mark.parametrize(
    "change",
    [
        (b"'descr'", b"'descr\\"), (b"'<f8'", b"'|O8'"), (b"'<f8'", b"'<V8'"), (b"(2, 3)", b"(9, 9)"),
        (b"(2, 3)", b"(2, 2)"), (b"(2, 3)", b"(-1,)"), (b"(2, 3)", b"((((("), (b"False", b"print"), (b"{", b"["),
        (b"\x93NUMPY", b"\x93NUMPX"), (b"NUMPY\x01", b"NUMPY\x09"), (b"v\x00", b"\xff\xff"), (b"'shape'", b"'shapf'"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(change: tuple[bytes, bytes], tmp_path: Path) -> None:
    content = saved(ARRAYS[0])
    wrong = content.replace(*change)
    assert wrong != content
    (tmp_path / "a.npy").write_bytes(wrong)
    for read in (lambda: parse_npy(wrong), lambda: map_npy(tmp_path / "a.npy")):
        with pytest.raises(ValueError, match=r"array|numbers"):
            read()


def test_cut_and_stretched_files_are_refused() -> None:
    content = saved(ARRAYS[0])
    for wrong in (*(content[:cut] for cut in range(0, len(content), 7)), content + b"x"):
        with pytest.raises(ValueError, match=r"array|numbers"):
            parse_npy(wrong)
    claimed = content.replace(b"(2, 3), }", b"(" + b"9" * 60 + b",), }")
    with pytest.raises(ValueError, match="array"):
        parse_npy(claimed)


@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_of_letters_that_do_not_exist_are_refused(order: str) -> None:
    content = saved(np.array(["ab", "c"], f"{order}U2"))
    letter = np.array([0x10FFFF, 0x110000], f"{order}u4")
    assert parse_npy(content[:-4] + letter[:1].tobytes())[1] == "c\U0010ffff"
    with pytest.raises(ValueError, match="letters that do not exist"):
        parse_npy(content[:-4] + letter[1:].tobytes())
