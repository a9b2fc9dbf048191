"""Changes of bytes, of JSON and TOML values, of pickles and of NumPy headers that know how their format is built."""

from __future__ import annotations

import copy
import json
import math
import pickletools
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from tests.hostile import HOSTILE
from tests.tensor_files import get, name, number, put, several, storage, tensor, text

NUMBERS = (0, 1, -1, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**53, 2**63 - 1, 2**63, 10**30)
FLOATS = (0.0, -0.0, 1e-300, 1e300, -1e300, math.nan, math.inf, -math.inf, 0.1)
TEXTS = (
    "",
    "x",
    "..",
    "../../x",
    "/etc/passwd",
    "a" * 300,
    "a" * 70_000,
    "NaN",
    "Infinity",
    "__import__('os')",
    HOSTILE,
)
_GLOBALS = (
    ("os", "system"),
    ("builtins", "exec"),
    ("builtins", "eval"),
    ("builtins", "bytearray"),
    ("builtins", "set"),
    ("tests.robustness.canary", "fire"),
    ("torch.hub", "load"),
    ("collections", "OrderedDict"),
    ("torch", "load"),
    ("subprocess", "Popen"),
    ("torch", "Tensor"),
    ("numpy", "ndarray"),
)


def changed_bytes(whole: bytes, rng: Random) -> bytes:
    """Return bytes that are cut, flipped, overwritten, repeated, moved or longer, once or a few times."""
    content = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if content:
            _change(content, rng)
    return bytes(content)


def _change(content: bytearray, rng: Random) -> None:
    at, size, kind = rng.randrange(len(content)), rng.randint(1, 64), rng.randrange(8)
    if kind == 0:
        del content[at:]
    elif kind in (1, 2):
        content[at] ^= 1 << rng.randrange(8)
    elif kind == 3:
        content[at : at + size] = rng.randbytes(min(size, len(content) - at))
    elif kind == 4:  # a number, as a length or an offset may be one
        width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
        value = rng.choice(NUMBERS) % (1 << 8 * width)
        content[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]
    elif kind == 5:
        del content[at : at + size]
    elif kind == 6:
        content[at:at] = content[at : at + size] * rng.choice((1, 2, 50))
    else:
        content[at:at] = rng.randbytes(size)


def strange_value(rng: Random, like: Any = None) -> Any:
    """Return a value that does not belong there: of another kind, or of the kind of `like` and absurd."""
    if isinstance(like, bool) or like is None or rng.random() < 0.4:
        nested: Any = 1
        for _ in range(rng.choice((3, 70, 300))):
            nested = [nested] if rng.random() < 0.5 else {"a": nested}
        return rng.choice((None, True, [], {}, [[]], nested, "x", 1, 1.5, [1] * 3_000, {str(i): i for i in range(300)}))
    if isinstance(like, int):
        return rng.choice((*NUMBERS, like + 1, -like, 10**400))
    if isinstance(like, float):
        return rng.choice((*FLOATS, -like, like * 1e30))
    if isinstance(like, str):
        return rng.choice((*TEXTS, like + HOSTILE, like * 2))
    if isinstance(like, list):
        return rng.choice(([], like * 2, like[:1], [like], [*like, None], [strange_value(rng)] * 5))
    return rng.choice(({}, [like], {**like, "": like}, {key: None for key in like}))


def changed_value(value: Any, rng: Random) -> Any:
    """Return what JSON or TOML holds with one to three changes somewhere in it."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = _changed_once(value, rng)
    return value


def _changed_once(value: Any, rng: Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.1:
            del value[key]
        elif kind < 0.15:
            value[rng.choice(TEXTS)] = value[key]
        else:
            value[key] = _changed_once(value[key], rng)
        return value
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        value[at] = _changed_once(value[at], rng)
        return value
    return strange_value(rng, value)


def changed_json(whole: bytes, rng: Random) -> bytes:
    """Return JSON with changed values, and one time in four with changed bytes."""
    if rng.random() < 0.25:
        return changed_bytes(whole, rng)
    return dumped(changed_value(json.loads(whole), rng), rng)


def changed_lines(whole: bytes, rng: Random) -> bytes:
    """Return lines of JSON of which some are changed, lost, repeated or glued."""
    lines = whole.splitlines(keepends=True)
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(len(lines))
        lines[at : at + 1] = rng.choice(
            ([changed_json(lines[at], rng) + b"\n"], [], [lines[at]] * 3, [lines[at].strip()])
        )
        if not lines:
            return b""
    return b"".join(lines)


def dumped(value: Any, rng: Random) -> bytes:
    """Return a value as JSON, with letters as they are or spelled; halves of pairs stay as they are spelled."""
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def toml_text(value: Any) -> str:
    """Return a value as TOML, as far as it can be spelled."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_text, value)) + "]"
    if value is None:
        return '""'
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else f"{'-' if value < 0 else ''}inf"
    return json.dumps(value)


def changed_toml(whole: dict[str, Any], rng: Random) -> bytes:
    """Return a TOML text of a table with changed values, or of changed bytes."""
    tables = changed_value(whole, rng)
    if not isinstance(tables, dict):
        tables = {"a": tables}
    lines = [f"{json.dumps(str(key))} = {toml_text(value)}" for key, value in tables.items()]
    written = "\n".join(lines).encode("utf-8", "surrogatepass")
    return changed_bytes(written, rng) if rng.random() < 0.2 and written else written


def changed_npy(whole: bytes, rng: Random) -> bytes:
    """Return a .npy file whose header lies, or of changed bytes."""
    if rng.random() < 0.3 or not whole.startswith(b"\x93NUMPY"):
        return changed_bytes(whole, rng)
    size = int.from_bytes(whole[8:10], "little")
    data, count = whole[10 + size :], rng.choice((*NUMBERS, 10**5))
    descr = rng.choice(
        ("'<f4'", "'|O'", "'<u1'", "'|V1'", "'<U9999999'", "'<f8'", "[('a', '<f4')]", "'<M8[ns]'", "'<c16'")
    )
    shape = rng.choice(
        (f"({count},)", f"({count}, {count})", "()", "(-1,)", f"({'1, ' * 70})", "(1, 0)", "x", "1" * 5_000)
    )
    order = rng.choice(("False", "True", "0", "None"))
    header = rng.choice(
        (
            f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}",
            f"{{'descr': {descr}, 'shape': {shape}}}",
            "[" * rng.choice((5, 90, 5_000)),
            "__import__('tests.robustness.canary').fire()",
            f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), 'x': 1}}",
        )
    ).encode()
    header = header.ljust(rng.choice((117, len(header)))) + b"\n"
    return (
        b"\x93NUMPY" + bytes([rng.choice((1, 1, 1, 2, 9)), 0]) + len(header).to_bytes(4, "little")[:2] + header + data
    )


_ODD: tuple[Callable[[Random], bytes], ...] = (
    lambda rng: name(*rng.choice(_GLOBALS)) + b"(" + text("true") + b"tR",
    lambda rng: name(*rng.choice(_GLOBALS)) + b")\x81",
    lambda rng: name(*rng.choice(_GLOBALS)),
    lambda rng: name("builtins", "bytearray") + b"(" + number(rng.choice((10**9, 2**40))) + b"tR",
    lambda rng: storage(rng.choice(("0", "1", "9", "../x")), rng.choice((4, 10**9, 2**62)), "FloatStorage"),
    lambda rng: tensor(storage("0", 4), rng.choice((0, 3, 2**40)), (rng.choice((1, 4, 10**9)),) * rng.randint(1, 4),
                       (0,)),
    lambda rng: tensor(storage("0", 4), 0, (rng.choice((1, 4, -1, 10**9)),), (rng.choice((0, 1, -1, 2**50)),)),
    lambda rng: several(*[rng.choice(NUMBERS)] * rng.choice((1, 100))),
    lambda rng: number(rng.choice((10**30, 2**2_000, -1))),
    lambda rng: text(rng.choice(TEXTS[:-1])),
    lambda rng: put(rng.choice((0, 1, 2**20, 2**31))),
    lambda rng: get(rng.choice((0, 1, 7, 2**31))),
    lambda rng: b"(" * rng.choice((1, 50, 5_000)),
    lambda rng: b"]q\x01" + b"h\x01" * rng.choice((10, 40)) + b"a" * rng.choice((1, 10)),
    lambda rng: b"".join([b"]q\x00", b"(h\x00h\x00tq\x00" * 40]),
    lambda rng: b"2" * rng.choice((1, 60)) + b"a",
    lambda rng: b"0", lambda rng: b"b", lambda rng: b"R", lambda rng: b"s", lambda rng: b"u", lambda rng: b"Q",
    lambda rng: b"X" + struct.pack("<I", rng.choice((4, 2**31))) + b"abcd",
    lambda rng: b"\x8b" + struct.pack("<i", rng.choice((4, -1, 2**30))) + b"abcd",
    lambda rng: b"\x80" + bytes([rng.choice((0, 3, 4, 5, 99))]),
    lambda rng: b"\x95" + struct.pack("<Q", rng.choice((1, 2**60))),
)  # fmt: skip


def changed_pickle(whole: bytes, rng: Random) -> bytes:
    """Return a pickle with operations that are lost, repeated, exchanged or not those that PyTorch writes."""
    if rng.random() < 0.15:
        return changed_bytes(whole, rng)
    places = [at for _, _, at in pickletools.genops(whole) if at is not None]
    parts = [whole[start:end] for start, end in zip(places, [*places[1:], len(whole)], strict=True)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, kind = rng.randrange(len(parts)), rng.random()
        if kind < 0.15:
            parts[at] = b""
        elif kind < 0.3:
            parts[at] *= rng.choice((2, 3, 500))
        elif kind < 0.4:
            other = rng.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif kind < 0.55 and len(parts[at]) > 1:
            parts[at] = parts[at][:1] + changed_bytes(parts[at][1:], rng)
        else:
            odd = rng.choice(_ODD)(rng)
            parts[at] = odd if rng.random() < 0.5 else odd + parts[at]
    return b"".join(parts)
