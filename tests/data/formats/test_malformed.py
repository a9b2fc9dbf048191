"""Damaged and forged files over every reader but HDF5's: one clear sentence each, and little memory.

All of these formats have checksums, so every change must be refused. Together with `test_malformed_hdf5` there are more
than 400 files.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import struct
import zipfile
import zlib
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zstandard

from lamo_core.data.collect.recorded_games import RecordedEpisode, load_recorded, save_recorded
from lamo_core.data.collect.recorded_vectors import EpisodeBuilder, load_vectors, save_vectors
from lamo_core.data.formats.action_log import TABLE, LogHeader, read_log, write_log
from lamo_core.data.formats.frame_file import read_frame_file, write_frame_file
from lamo_core.data.formats.vector_file import read_vectors, write_vectors
from lamo_core.data.recipes.actors import Actor
from lamo_core.data.sources.dqn_slice import PARTS, cut_slice, read_columns
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.data.store.local import ReceivedSet
from lamo_core.errors import DataError
from tests.data.formats.damage import MOST_MEMORY, Read, damaged, refuse
from tests.data.formats.test_vector_file import some_set
from tests.data.sources.made_sources import dqn_arrays, npy_bytes


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Fail when the peak of the process's memory grows a lot."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


def test_vector_files(tmp_path: Path) -> None:
    write_vectors(tmp_path / "whole", some_set())
    whole = (tmp_path / "whole").read_bytes()
    assert refuse(read_vectors, tmp_path / "bad", damaged(whole, 50, 1)) == 50


def some_log() -> bytes:
    rng = np.random.default_rng(0)
    table = np.zeros(3, TABLE)
    table["seed"], table["length"], table["terminated"] = [1, 2, 3], [40, 50, 60], 1
    header = LogHeader("tiny", "qbert", 6, ("one",))
    path = Path("unused")
    written: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamo_core.data.formats.action_log.write_bytes", lambda _, content, __: written.append(content))
        write_log(path, header, table, rng.integers(0, 6, 150).astype(np.uint8))
    return written[0]


def forged_logs() -> Iterator[bytes]:
    """Yield logs with right checksums and wrong contents."""
    packer = zstandard.ZstdCompressor()
    whole = some_log()
    sizes = struct.unpack_from("<3I", whole, 8)
    ends = np.cumsum([20, *sizes])
    head, table, actions = (whole[first:last] for first, last in pairwise(ends))
    fields = json.loads(zstandard.ZstdDecompressor().decompress(head))
    changes = [{"actions": 0}, {"actions": 10**9}, {"actions": "6"}, {"name": "../x"}, {"game": "x" * 99}]
    changes += [{"max_steps": 3}, {"policies": []}, {"policies": 3}, {"sticky_actions": float("nan")}, {"extra": 1}]
    heads = [b"", b"{", b"[" * 100_000, b"[]", b"null", b"\xff"]
    heads += [json.dumps(fields | change).encode() for change in changes]
    bomb = packer.compress(bytes(300_000_000))
    parts = [(packer.compress(text), table, actions) for text in heads]
    parts += [(head, bomb, actions), (head, table, bomb), (bomb, table, actions)]
    parts += [(head, packer.compress(b""), actions), (head, packer.compress(bytes(TABLE.itemsize + 1)), actions)]
    parts += [(head, packer.compress(b"\xff" * TABLE.itemsize * 2), actions)]
    parts += [(head, table, packer.compress(b"\xff" * 9))]
    parts += [endless_log(fields)]
    for three in parts:
        content = b"LAMOLOG1" + struct.pack("<3I", *map(len, three)) + b"".join(three)
        yield content + sha256(content).digest()


def endless_log(fields: dict[str, object]) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a log of a few kilobytes whose table and actions agree on 1.6 thousand million steps."""
    table = np.zeros(40, TABLE)
    table["length"] = 40_000_000
    columns = b"".join(np.ascontiguousarray(table[name]).tobytes() for name in TABLE.names or ())
    packer = zstandard.ZstdCompressor()
    stream = packer.compressobj(size=200_000_000)
    actions = b"".join(stream.compress(bytes(10**6)) for _ in range(200)) + stream.flush()
    head = json.dumps(fields | {"actions": 2, "max_steps": 50_000_000}).encode()
    return packer.compress(head), packer.compress(columns), actions


def test_action_logs(tmp_path: Path) -> None:
    whole = some_log()
    (tmp_path / "whole").write_bytes(whole)
    assert len(read_log(tmp_path / "whole").actions) == 150
    assert refuse(read_log, tmp_path / "bad", damaged(whole, 40, 2)) == 40
    assert refuse(read_log, tmp_path / "bad", list(forged_logs())) == 24


def test_frame_files(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (70, 84, 84), dtype=np.uint8)
    write_frame_file(tmp_path / "whole", frames, np.arange(69, dtype=np.int32), bytes(16))

    def read(path: Path) -> None:
        file = read_frame_file(path, 70, bytes(16))
        if file is None:
            raise DataError("made again; always")
        for index in range(file.blocks):
            file.block(index)
        file.rewards()

    assert refuse(read, tmp_path / "bad", damaged((tmp_path / "whole").read_bytes(), 30, 3)) == 30


def slice_reader(folder: Path, part: str) -> Read:
    """Return a reader of the slice in `folder` that takes one part of it from elsewhere."""

    def read(path: Path) -> None:
        paths = {name: folder / f"{name}.gz" for name in PARTS} | {part: path}
        columns = read_columns(paths, 4)
        writer = FrameSetWriter(folder / "out", LogHeader("x", "breakout", 4, ("dqn",)))
        cut_slice(paths, columns, writer, lambda done, total: None)
        writer.finish()

    return read


def gzipped(*parts: bytes) -> bytes:
    return gzip.compress(b"".join(parts), 1)


def npy_header(descr: str = "|u1", shape: str = "(35, 84, 84)", fortran: str = "False", version: int = 1) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text


def forged_slices(frames: np.ndarray) -> list[bytes]:
    """Return frames in files that lie about themselves."""
    data = frames.tobytes()
    headers = [
        npy_header(shape="(10000000000, 84, 84)"),
        npy_header(shape="(99999999999999999999999999, 84, 84)"),
        npy_header(shape="(0, 84, 84)"),
        npy_header(shape="()"),
        npy_header(shape="(35,)"),
        npy_header(shape="(-35, 84, 84)"),
        npy_header(shape="(35, 84, 84, " + "1, " * 40 + ")"),
        npy_header(descr="|O"),
        npy_header(descr="<f8"),
        npy_header(descr="|V1"),
        npy_header(descr="<u3"),
        npy_header(fortran="True"),
        npy_header(version=9),
        npy_header(shape="__import__('os').system('true')"),
        b"\x93NUMPY\x01\x00\xff\xff" + b" " * 70_000,
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100,
        b"PK\x03\x04" + bytes(100),
        b"",
    ]
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"".join(bomb.compress(bytes(2**24)) for _ in range(6)) + bomb.flush()
    nested = gzip.compress(b"") * 3_000
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    return [gzipped(header, data) for header in headers] + [
        zeros,
        gzipped(npy_header(), data) + zeros,
        gzipped(npy_header(), data, bytes(2**20)),
        gzipped(npy_header()) + nested,
        gzipped(pickled.getvalue()),
        npy_header() + data,
        gzipped(npy_header(), data) + b"more",
    ]


def test_npy_slices(tmp_path: Path) -> None:
    arrays = dqn_arrays()
    assert len(arrays["observation"]) == 35 - 3
    arrays = dqn_arrays((4, 7, 5, 9))
    for part, values in arrays.items():
        (tmp_path / f"{part}.gz").write_bytes(gzipped(npy_bytes(values)))
    (tmp_path / "out").mkdir()
    bad = tmp_path / "bad.gz"
    for seed, part in enumerate(PARTS):
        read, whole = slice_reader(tmp_path, part), (tmp_path / f"{part}.gz").read_bytes()
        read(tmp_path / f"{part}.gz")
        # of a gzip header only what names the format matters
        kept = [content for content in damaged(whole, 20, seed) if content[10:] != whole[10:] or len(content) < 10]
        assert refuse(read, bad, kept) == len(kept) >= 18
    forged = forged_slices(arrays["observation"])
    assert refuse(slice_reader(tmp_path, "observation"), bad, forged) == len(forged) == 25
    columns = [values.astype(kind) for values in (arrays["reward"] * np.nan, arrays["reward"] * 1e30) for kind in "fd"]
    columns += [np.zeros((35, 2)), np.zeros(10), np.zeros(3_000_000, np.uint8)]
    assert refuse(slice_reader(tmp_path, "reward"), bad, [gzipped(npy_bytes(values)) for values in columns]) == 7


def test_recorded_episodes(tmp_path: Path) -> None:
    game = RecordedEpisode(
        3, 1, np.arange(600, dtype=np.uint8) % 4, np.zeros(600, np.int32), True, "who", 0.5, bytes(range(32))
    )
    builder = EpisodeBuilder(3, "who", 0.5, np.zeros(4))
    for step in range(40):
        builder.add(np.full(2, 0.1, np.float32), np.full(4, step, np.float64), 1.0)
    save_recorded(tmp_path / "games", game)
    save_vectors(tmp_path / "vectors", builder.finish(False))
    back = load_recorded(tmp_path / "games", 3)
    assert back is not None
    np.testing.assert_equal(vars(back), vars(game))
    reads: list[tuple[str, Read]] = [
        ("games", lambda path: load_recorded(path.parent, 3)),
        ("vectors", lambda path: load_vectors(path.parent, 3)),
        ("vectors", lambda path: Actor(path, "a")),
    ]
    for seed, (folder, read) in enumerate(reads):
        path = tmp_path / folder / "3.npz"
        whole = path.read_bytes()
        # a flipped bit in a time or a name of the archive's directory need not matter
        assert refuse(read, path, damaged(whole, 40, seed), always=False) > 20
        path.write_bytes(whole)


def forged_archives() -> Iterator[bytes]:
    """Yield archives that lie about themselves."""
    fields = {"seed": 1, "noops": 0, "actions": np.zeros(3, np.uint8), "rewards": np.zeros(3, np.int32)}
    fields |= {"terminated": True, "policy": "x", "noise": 0.0, "frames_sha256": np.zeros(32, np.uint8)}
    changes: list[dict[str, object]] = [{"seed": np.zeros(2, np.int64)}, {"seed": "3"}, {"actions": 1.0}, {"policy": 3}]
    changes += [{"actions": np.array([{}], object)}, {"rewards": np.zeros((2, 2), np.int32)}]
    for change in changes:
        buffer = io.BytesIO()
        np.savez(buffer, **{**fields, **change})
        yield buffer.getvalue()
    for name, content in (("actions.npy", npy_header(shape="(99999999999,)")), ("actions.npy", b""), ("x", b"")):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, content)
        yield buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("actions.npy", "w") as part:
        part.write(npy_header(shape="(1100000000,)"))
        for _ in range(1_100):
            part.write(bytes(10**6))
    yield buffer.getvalue()


def test_forged_archives(tmp_path: Path) -> None:
    forged = list(forged_archives())
    assert refuse(lambda path: load_recorded(tmp_path, 3), tmp_path / "3.npz", forged) == len(forged) == 10


def test_cards(tmp_path: Path) -> None:
    found = ReceivedSet("d4rl", "x", tmp_path)
    contents = [b"", b"{", b"[]", b"null", b'{"task": 3}', b"\xff\xfe", b"[" * 200_000]
    contents += [b'{"task": "' + b"x" * 5_000_000]
    figures = {"mean": 1.0}
    card = {"task": "", "episodes": 1, "transitions": 1, "time_outs": 0, "log_bytes": 1}
    card |= {"returns": figures, "lengths": figures}
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert found.card() == card
    for name, value in (("episodes", "x"), ("transitions", 10**400), ("returns", 5), ("lengths", {"mean": "x"})):
        contents.append(json.dumps(card | {name: value}).encode())
    assert refuse(lambda _: found.card(), tmp_path / "card.json", contents) == len(contents)
