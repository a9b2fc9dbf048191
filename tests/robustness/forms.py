"""Changed files of each binary form, with lengths and checksums made right again, so that readers look inside."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import torch
import zstandard

from tests.hostile import HOSTILE
from tests.robustness.mutations import (
    NUMBERS,
    changed_bytes,
    changed_json,
    changed_npy,
    changed_pickle,
    strange_value,
)

Change = Callable[[bytes, Random], bytes]
_PACKER, _UNPACKER = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
_HUGE = 300_000_000


def mostly(inside: Change, share: float = 0.85) -> Change:
    """Return a change that knows the form most of the time, and changes bytes of the whole else."""
    return lambda whole, rng: inside(whole, rng) if rng.random() < share else changed_bytes(whole, rng)


def either(one: Change, other: Change) -> Change:
    """Return a change that is the one or the other."""
    return lambda whole, rng: (one if rng.random() < 0.5 else other)(whole, rng)


def repacked(packed: bytes, change: Change, rng: Random) -> bytes:
    """Return a zstd frame of changed content; at times one that lies about its size, or unpacks to much."""
    kind = rng.random()
    if kind < 0.03:
        stream = _PACKER.compressobj(size=_HUGE)
        block = bytes(1_000_000)
        return b"".join(stream.compress(block) for _ in range(_HUGE // len(block))) + stream.flush()
    content = change(_UNPACKER.decompress(packed, max_output_size=1 << 28), rng)
    if kind < 0.1:
        stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
        return stream.compress(content) + stream.flush()
    again = _PACKER.compress(content)
    return again + again if kind < 0.13 else again


def changed_log(whole: bytes, rng: Random) -> bytes:
    """Return an action log with a changed part, and its hash."""
    sizes = struct.unpack_from("<3I", whole, 8)
    ends = np.cumsum([20, *sizes])
    parts = [whole[first:last] for first, last in pairwise(ends)]
    at = rng.randrange(3)
    parts[at] = repacked(parts[at], changed_json if at == 0 else _columns, rng)
    told = [len(part) for part in parts]
    if rng.random() < 0.1:
        told[rng.randrange(3)] = rng.choice(NUMBERS) % (1 << 32)
    content = whole[:8] + struct.pack("<3I", *told) + b"".join(parts)
    return content + sha256(content).digest()


def _columns(content: bytes, rng: Random) -> bytes:
    """Return a table of numbers in which some are absurd, or whose length is not what it was."""
    changed = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 2, 8))):
        width = rng.choice((1, 2, 4, 8))
        at = rng.randrange(max(1, len(changed) // width)) * width
        changed[at : at + width] = (rng.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, "little")
    return changed_bytes(bytes(changed), rng) if rng.random() < 0.3 else bytes(changed)


def changed_vectors(whole: bytes, rng: Random) -> bytes:
    """Return a vector file with a changed header or column, their lengths and the hash."""
    start, head_bytes = 44, struct.unpack_from("<I", whole, 8)[0]
    fields = json.loads(whole[start : start + head_bytes])
    ends = np.cumsum([start + head_bytes, *fields["packed"]])
    columns = [whole[first:last] for first, last in pairwise(ends)]
    if rng.random() < 0.5:
        at = rng.randrange(len(columns))
        columns[at] = repacked(columns[at], _columns, rng)
        fields["packed"] = [len(column) for column in columns]
        head = json.dumps(fields).encode()
    else:
        head = changed_json(json.dumps(fields).encode(), rng)
    body = head + b"".join(columns)
    return whole[:8] + struct.pack("<I", len(head)) + sha256(body).digest() + body


def changed_safetensors(whole: bytes, rng: Random) -> bytes:
    """Return weights whose table of tensors lies, with the length of the table made right."""
    size = int.from_bytes(whole[:8], "little")
    head, data = whole[8 : 8 + size], whole[8 + size :]
    if rng.random() < 0.3:
        return whole[: 8 + size] + _columns(data, rng)
    head = changed_json(head, rng)
    told = len(head) if rng.random() < 0.9 else rng.choice(NUMBERS) % (1 << 64)
    return told.to_bytes(8, "little") + head + data


def changed_gzip(change: Change) -> Change:
    """Return a change of what a gzip file holds."""

    def inside(whole: bytes, rng: Random) -> bytes:
        kind = rng.random()
        if kind < 0.03:
            return gzip.compress(whole[:10]) * 2_000
        again = gzip.compress(change(gzip.decompress(whole), rng), 1)
        return changed_bytes(again, rng) if kind < 0.15 else again

    return inside


def changed_zip(change: Callable[[str], Change], *, packed: bool = True) -> Change:
    """Return a change of an archive's parts, each by its name, whose checksums are made right."""

    def inside(whole: bytes, rng: Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            parts = [(part.filename, archive.read(part)) for part in archive.infolist()]
        at, kind = rng.randrange(len(parts)), rng.random()
        title, content = parts[at]
        if kind < 0.75:
            parts[at] = title, change(title)(content, rng)
        elif kind < 0.8:
            parts[at] = rng.choice(("../x.npy", "/x", "", "a" * 300, "é\x1b.npy")), content
        elif kind < 0.85:
            del parts[at]
        elif kind < 0.9:
            parts.append((title, changed_bytes(content, rng)))
        elif kind < 0.93:
            parts += [(f"{number}.npy", b"") for number in range(rng.choice((10, 2_000)))]
        elif kind < 0.96:
            parts[at] = title, content[:200] + bytes(40_000_000)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
            for name, data in parts:
                archive.writestr(zipfile.ZipInfo(name), data, compresslevel=1)
        again = buffer.getvalue()
        return changed_bytes(again, rng) if rng.random() < 0.1 else again

    return inside


def changed_npz_part(name: str) -> Change:
    """Return the change for a part of an archive of arrays: its header that is JSON, or the array."""

    def header(whole: bytes, rng: Random) -> bytes:
        if rng.random() < 0.3:
            return changed_npy(whole, rng)
        start = 10 + int.from_bytes(whole[8:10], "little")
        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(changed_json(whole[start:], rng), np.uint8), allow_pickle=False)
        return buffer.getvalue()

    def numbers(whole: bytes, rng: Random) -> bytes:
        start = 10 + int.from_bytes(whole[8:10], "little")
        return changed_npy(whole, rng) if rng.random() < 0.6 else whole[:start] + _columns(whole[start:], rng)

    return header if name == "header.npy" else numbers


def changed_tensors(whole: bytes, rng: Random) -> bytes:
    """Return an archive as PyTorch writes it with a changed pickle or storage, or one that only looks so."""
    if rng.random() < 0.1:
        return changed_zip(lambda name: changed_pickle if name.endswith(".pkl") else changed_bytes, packed=False)(
            whole, rng
        )
    reader = torch._C.PyTorchFileReader(io.BytesIO(whole))
    records = {name: bytes(reader.get_record(name)) for name in reader.get_all_records()}
    records = {name: data for name, data in records.items() if name not in ("version", ".data/serialization_id")}
    kind = rng.random()
    if kind < 0.8:
        records["data.pkl"] = changed_pickle(records["data.pkl"], rng)
    else:
        name = rng.choice(list(records))
        records[name] = changed_bytes(records[name] or b"\0", rng)
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    for name, data in records.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return buffer.getvalue()


def changed_payload(signed: Callable[[Any], Any]) -> Change:
    """Return a change of what a file of `torch.save` holds, saved as PyTorch does, with what `signed` makes right."""

    def inside(whole: bytes, rng: Random) -> bytes:
        payload = _changed_tensors_in(torch.load(io.BytesIO(whole), weights_only=True), rng)
        buffer = io.BytesIO()
        torch.save(signed(payload), buffer)
        return buffer.getvalue()

    return inside


def _changed_tensors_in(value: Any, rng: Random) -> Any:
    """Return nested values with one of them changed; a tensor becomes one of another kind, shape or content."""
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        if rng.random() < 0.07:
            del value[key]
        elif rng.random() < 0.05:
            value[rng.choice(("x", "../x", HOSTILE, "trunk.wte.weight", 1))] = value[key]
        else:
            value[key] = _changed_tensors_in(value[key], rng)
        return value
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        value[at] = _changed_tensors_in(value[at], rng)
        return value
    return rng.choice(_TENSORS)(value) if isinstance(value, torch.Tensor) else strange_value(rng, value)


_TENSORS: tuple[Callable[[Any], Any], ...] = (
    lambda value: value.double(),
    lambda value: value.to(torch.complex64),
    lambda value: value.bool(),
    lambda value: value.flatten()[:1],
    lambda value: value[None],
    lambda value: value.new_empty(0),
    lambda value: value.flatten()[:1].expand(10**6) if value.numel() else value,
    lambda value: torch.full_like(value, float("nan")) if value.is_floating_point() else value * 0 - 1,
    lambda value: value.t() if value.ndim == 2 else value[..., None],
    lambda value: value.tolist() if value.numel() < 1_000 else 1,
    lambda value: None,
)
