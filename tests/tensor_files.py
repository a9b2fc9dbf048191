"""Files as `torch.save` writes them, with any pickle inside: what PyTorch would never write."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import torch

LAST = b"."
MARK, DICT, LIST, NONE, EMPTY = b"(", b"}", b"]", b"N", b")"
PROTO = b"\x80\x02"


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, what: str) -> bytes:
    return f"c{module}\n{what}\n".encode()


def put(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def storage(key: str = "0", elements: int = 4, kind: str = "FloatStorage", device: str = "cpu") -> bytes:
    return MARK + text("storage") + name("torch", kind) + text(key) + text(device) + number(elements) + b"tQ"


def several(*values: int) -> bytes:
    return MARK + b"".join(map(number, values)) + b"t"


def tensor(inside: bytes, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    hooks = name("collections", "OrderedDict") + EMPTY + b"R"
    arguments = MARK + inside + number(offset) + several(*sizes) + several(*strides) + b"\x89" + hooks + b"t"
    return name("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def whole(value: bytes) -> bytes:
    """Return a pickle of a dictionary that holds one value."""
    return PROTO + DICT + text("a") + value + b"s" + LAST


def write(path: Path, pickled: bytes, storages: Mapping[str, bytes] | None = None) -> Path:
    """Write an archive; the storage `0` holds 16 bytes where nothing else is said."""
    writer = torch._C.PyTorchFileWriter(str(path))
    parts = {"data.pkl": pickled, "byteorder": b"little"}
    parts |= {f"data/{key}": data for key, data in ({"0": bytes(16)} if storages is None else storages).items()}
    for part, data in parts.items():
        writer.write_record(part, data, len(data))
    writer.write_end_of_file()
    return path
