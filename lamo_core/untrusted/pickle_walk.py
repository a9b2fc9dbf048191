"""A walk through the pickle of a `torch.save` file that builds nothing: stand-ins on a stack, everything counted.

Only what PyTorch writes for dictionaries, lists, tuples, numbers, texts and tensors is let through.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_OPCODES = 300_000
"""A tensor takes about 38: that is 8,000 of them."""
MOST_DEEP = 32
MOST_VALUES = 500_000
"""With every value counted as often as something refers to it: so many steps takes whoever walks through the data."""
_MOST_DIMENSIONS = 16
_MOST = 1 << 48
"""Of a size, an offset or a stride."""
_MOST_KEY = 1 << 31
"""Of a number as a key: larger ones can be chosen so that a dictionary takes them all for one."""

_ELEMENT_BYTES = {
    "FloatStorage": 4, "DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip
_CALLABLE = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}


class Forbidden(Exception):
    """Something that no plain data and no tensor needs."""


class Malformed(Exception):
    """Something that PyTorch would not have written so."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A class or a function."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    elements: int


class _Tensor:
    """A tensor, whole in its storage."""


@dataclass(eq=False, slots=True)
class _Box:
    """A tuple, a list or a dictionary."""

    kind: str
    items: tuple[Any, ...] = ()
    """Of a tuple."""
    values: int = 1
    depth: int = 1
    closed: bool = False
    """Whether it is within another one: nothing more may come into it, so that counts stay true."""
    bare: bool = False
    """Whether it is for a call alone: a class or a storage is in it."""

    def take(self, item: Any) -> None:
        """Count something that comes into it."""
        if self.closed or item is self:
            raise Malformed("a list of its data grows when it is full")
        if isinstance(item, _Name | _Storage):
            if self.kind != "tuple":
                raise Forbidden("a class among its data")
            self.bare = True
        if isinstance(item, _Box):
            if item.bare:
                raise Forbidden("a class among its data")
            item.closed = True
            self.depth = max(self.depth, item.depth + 1)
        self.count(item.values if isinstance(item, _Box) else 1)
        if self.depth > MOST_DEEP:
            raise Malformed("its data are nested too deeply")

    def count(self, values: int) -> None:
        """Count so many values more."""
        self.values += values
        if self.values > MOST_VALUES:
            raise Malformed("its data refer to each other too often")


class _Mark:
    """Where a group of values begins."""


_MARK = _Mark()


def walk(pickled: bytes, storages: Mapping[str, int]) -> None:
    """Check a pickle; `storages` are the bytes of each storage in the file, by its key.

    Raises `Forbidden` and `Malformed`.
    """
    walker = _Walker(storages)
    try:
        _run(walker, pickled)
    except (IndexError, KeyError) as error:  # an empty stack, or nothing under that number
        raise Malformed("its data break off or refer to nothing") from error
    except ValueError as error:  # a UnicodeDecodeError is one
        raise Malformed("its data are no pickle") from error
    walker.finish()


def _run(walker: _Walker, pickled: bytes) -> None:
    """Take every step up to the one that ends the pickle."""
    at = 0
    for _ in range(MOST_OPCODES):
        opcode = pickled[at]
        if opcode == _STOP:
            return
        known = _STEPS.get(opcode)
        if known is None:
            raise Forbidden(f"the opcode {opcode:#04x}")
        width, read, step = known
        if read is not None:
            argument, end = read(pickled, at + 1)
        else:
            end = at + 1 + width
            argument = int.from_bytes(pickled[at + 1 : end], "little")
        if end > len(pickled):
            raise IndexError
        step(walker, argument)
        at = end
    raise Malformed(f"it takes more than {MOST_OPCODES:,} steps to read")


class _Walker:
    """The stack and the memo."""

    def __init__(self, storages: Mapping[str, int]) -> None:
        self._bytes = storages
        self._claims: dict[str, tuple[str, int]] = {}
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def finish(self) -> None:
        """Check that one value is left."""
        last = self.stack[0] if len(self.stack) == 1 else _MARK
        if isinstance(last, _Mark | _Name | _Storage) or (isinstance(last, _Box) and last.bare):
            raise Malformed("its data are not one value")

    def pop(self) -> Any:
        """Return the value on top; a mark is none."""
        top = self.stack.pop()
        if isinstance(top, _Mark):
            raise Malformed("its data are no pickle")
        return top

    def group(self) -> list[Any]:
        """Return the values above the last mark, and drop it."""
        at = next(index for index in range(len(self.stack) - 1, -2, -1) if index < 0 or self.stack[index] is _MARK)
        if at < 0:
            raise Malformed("its data are no pickle")
        items, self.stack[at:] = self.stack[at + 1 :], []
        return items

    def tuple_of(self, items: list[Any]) -> None:
        """Put a tuple on the stack."""
        box = _Box("tuple", tuple(items))
        for item in items:
            box.take(item)
        self.stack.append(box)

    def append(self, items: list[Any]) -> None:
        """Add to the list on the stack."""
        box = self.top("list")
        for item in items:
            box.take(item)

    def set_items(self, items: list[Any]) -> None:
        """Add keys and values to the dictionary on the stack."""
        box = self.top("dict", "ordered")
        if len(items) % 2:
            raise Malformed("a key of its data has no value")
        for key in items[::2]:
            if not isinstance(key, str) and not (isinstance(key, int) and 0 <= key < _MOST_KEY):
                raise Malformed("a key of its data is neither text nor a small number")
        for value in items[1::2]:
            box.take(value)
        box.count(len(items) // 2)

    def top(self, *kinds: str) -> _Box:
        """Return what is on the stack, of one of these kinds."""
        box = self.stack[-1]
        if not isinstance(box, _Box) or box.kind not in kinds:
            raise Malformed("its data are no pickle")
        return box

    def name(self, full: str) -> None:
        """Put a class or a function on the stack."""
        module, _, name = full.partition(" ")
        if full not in _CALLABLE and not (module == "torch" and name in _ELEMENT_BYTES):
            raise Forbidden("a class that is neither a tensor nor a dictionary")
        self.stack.append(_Name(full))

    def storage(self) -> None:
        """Put the storage that a tuple names on the stack: ("storage", its class, key, device, elements)."""
        box = self.pop()
        items = box.items if isinstance(box, _Box) else ()
        if len(items) != 5 or items[0] != "storage" or not isinstance(items[1], _Name):
            raise Forbidden("a reference to something that is no storage")
        kind, key, elements = items[1].name.removeprefix("torch "), items[2], items[4]
        if kind not in _ELEMENT_BYTES or not isinstance(key, str) or not isinstance(items[3], str):
            raise Forbidden("a reference to something that is no storage")
        if type(elements) is not int or not 0 <= elements * _ELEMENT_BYTES[kind] <= self._bytes[key]:
            raise Malformed("a storage is larger than its part of the file")
        if self._claims.setdefault(key, (kind, elements)) != (kind, elements):
            raise Malformed("a storage is of two kinds")
        self.stack.append(_Storage(elements))

    def reduce(self) -> None:
        """Put what a call makes on the stack: a tensor, or an ordered dictionary without content."""
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, _Name) or not isinstance(arguments, _Box) or arguments.kind != "tuple":
            raise Forbidden("a call of something")
        items = arguments.items
        if called.name == "collections OrderedDict":
            if items:
                raise Forbidden("a call of something")
            self.stack.append(_Box("ordered"))
        elif called.name == "torch._utils _rebuild_tensor_v2":
            _check_tensor(items)
            self.stack.append(_Tensor())
        elif called.name == "torch._utils _rebuild_parameter":
            if len(items) != 3 or not isinstance(items[0], _Tensor) or not _is_empty(items[2]):
                raise Malformed("a parameter is none")
            self.stack.append(_Tensor())
        else:
            raise Forbidden("a call of something")

    def build(self) -> None:
        """Give an ordered dictionary its attributes: PyTorch writes one, the versions of a model's modules."""
        state = self.pop()
        if not isinstance(state, _Box) or state.kind != "dict":
            raise Forbidden("attributes of something")
        self.top("ordered").take(state)


def _check_tensor(items: tuple[Any, ...]) -> None:
    """Check that a tensor's elements all lie in its storage, each at a place of its own."""
    if len(items) != 6 or type(items[4]) is not bool or not isinstance(items[0], _Storage) or not _is_empty(items[5]):
        raise Malformed("a tensor is none")
    storage, offset, (sizes, strides) = items[0], items[1], map(_numbers, items[2:4])
    if type(offset) is not int or not 0 <= offset < _MOST or len(sizes) != len(strides):
        raise Malformed("a tensor is none")
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if math.prod(max(size, 1) for size in sizes) >= _MOST:
        raise Malformed("a tensor is larger than any")
    if math.prod(sizes) and (last >= storage.elements or math.prod(sizes) > storage.elements):
        raise Malformed("a tensor is larger than its storage")


def _numbers(box: Any) -> tuple[int, ...]:
    items = box.items if isinstance(box, _Box) and box.kind == "tuple" else None
    if items is None or len(items) > _MOST_DIMENSIONS:
        raise Malformed("a tensor is none")
    if not all(type(item) is int and 0 <= item < _MOST for item in items):
        raise Malformed("a tensor is none")
    return items


def _is_empty(box: Any) -> bool:
    return isinstance(box, _Box) and box.kind in ("ordered", "dict") and box.values == 1


def _proto(walker: _Walker, argument: Any) -> None:
    if argument != 2:
        raise Forbidden("another protocol")


def _put(walker: _Walker, argument: Any) -> None:
    if walker.stack[-1] is _MARK:
        raise Malformed("its data are no pickle")
    walker.memo[argument] = walker.stack[-1]


def _push(walker: _Walker, argument: Any) -> None:
    walker.stack.append(argument)


def _constant(value: Any) -> _Step:
    return lambda walker, _: walker.stack.append(value)


def _box(kind: str) -> _Step:
    return lambda walker, _: walker.stack.append(_Box(kind))


def _few(count: int) -> _Step:
    return lambda walker, _: walker.tuple_of([walker.pop() for _ in range(count)][::-1])


def _signed(pickled: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(pickled[at : at + 4], "little", signed=True), at + 4


def _long(pickled: bytes, at: int) -> tuple[int, int]:
    end = at + 1 + pickled[at]
    return int.from_bytes(pickled[at + 1 : end], "little", signed=True), end


def _double(pickled: bytes, at: int) -> tuple[float, int]:
    (value,) = struct.unpack(">d", pickled[at : at + 8].ljust(8, b"\0"))
    return value, at + 8


def _text(pickled: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + int.from_bytes(pickled[at : at + 4], "little")
    return pickled[at + 4 : end].decode("utf-8", "surrogatepass"), end


def _class(pickled: bytes, at: int) -> tuple[str, int]:
    middle = pickled.index(b"\n", at, at + 100)
    end = pickled.index(b"\n", middle + 1, middle + 100)
    return f"{pickled[at:middle].decode('ascii')} {pickled[middle + 1 : end].decode('ascii')}", end + 1


_Step = Callable[[_Walker, Any], None]
_Read = Callable[[bytes, int], tuple[Any, int]]
_STOP = ord(".")
_STEPS: dict[int, tuple[int, _Read | None, _Step]] = {
    ord("\x80"): (1, None, _proto),
    ord("q"): (1, None, _put),
    ord("r"): (4, None, _put),
    ord("h"): (1, None, lambda walker, place: walker.stack.append(walker.memo[place])),
    ord("j"): (4, None, lambda walker, place: walker.stack.append(walker.memo[place])),
    ord("N"): (0, None, _constant(None)),
    ord("\x88"): (0, None, _constant(True)),
    ord("\x89"): (0, None, _constant(False)),
    ord("K"): (1, None, _push),
    ord("M"): (2, None, _push),
    ord("J"): (4, _signed, _push),
    ord("\x8a"): (0, _long, _push),
    ord("G"): (8, _double, _push),
    ord("X"): (0, _text, _push),
    ord("("): (0, None, _constant(_MARK)),
    ord("]"): (0, None, _box("list")),
    ord("}"): (0, None, _box("dict")),
    ord(")"): (0, None, _few(0)),
    ord("t"): (0, None, lambda walker, _: walker.tuple_of(walker.group())),
    ord("\x85"): (0, None, _few(1)),
    ord("\x86"): (0, None, _few(2)),
    ord("\x87"): (0, None, _few(3)),
    ord("a"): (0, None, lambda walker, _: walker.append([walker.pop()])),
    ord("e"): (0, None, lambda walker, _: walker.append(walker.group())),
    ord("s"): (0, None, lambda walker, _: walker.set_items([walker.pop() for _ in range(2)][::-1])),
    ord("u"): (0, None, lambda walker, _: walker.set_items(walker.group())),
    ord("c"): (0, _class, lambda walker, name: walker.name(name)),
    ord("Q"): (0, None, lambda walker, _: walker.storage()),
    ord("R"): (0, None, lambda walker, _: walker.reduce()),
    ord("b"): (0, None, lambda walker, _: walker.build()),
}
"""What each opcode does to the stack: the bytes of its argument as a number, or what reads it, and the step."""
