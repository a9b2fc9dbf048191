"""Nested data classes from plain dictionaries and texts, with a clear error for everything that does not fit."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from lamo_core.errors import UsageError
from lamo_core.shares import from_percent
from lamo_core.untrusted.plain_text import is_plain, shown

_LARGEST = 10**300
"""Whole numbers beyond it have no place among the others."""
_LONGEST_NAME, _LONGEST_TEXT = 200, 4096
"""Characters of a name that likes are looked for, and of a text that a setting may be."""


@dataclasses.dataclass(frozen=True)
class Range:
    """What numbers a field may hold, declared with the field: `steps: Annotated[int, Range(1, 10**9)] = 100`."""

    low: float
    high: float
    """Smallest and largest value, both allowed."""
    above: bool = False
    """Whether the smallest is not allowed itself."""
    says: str = "must lie between {low:g} and {high:g}, not {value!r}"
    """What is said of any other value, after the field's name."""

    def holds(self, value: float) -> bool:
        """Return whether a number may be the field's: none that is NaN or infinite ever may."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def check(self, name: str, value: Any) -> None:
        """Raise `UsageError` unless a number, or every number of a list, may be the field's."""
        # texts, such as `auto`, were checked before
        if isinstance(value, str):
            return
        if not all(map(self.holds, value if isinstance(value, list | tuple) else [value])):
            raise UsageError(f"{name} {self.says.format(low=self.low, high=self.high, value=value)}")


def ranges(cls: type, prefix: str = "") -> dict[str, Range]:
    """Return the ranges that the fields of nested data classes declare, by dotted name."""
    found: dict[str, Range] = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            found |= ranges(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
        elif get_origin(hint) is Annotated:
            for part in hint.__metadata__:
                if isinstance(part, Range):
                    found[prefix + name] = part
    return found


def check_ranges(config: Any) -> None:
    """Raise `UsageError` at the first field of nested data classes whose number is outside of its range."""
    kind = type(config)
    if kind not in _RANGES:
        _RANGES[kind] = ranges(kind)
    for name, allowed in _RANGES[kind].items():
        allowed.check(name, functools.reduce(getattr, name.split("."), config))


_RANGES: dict[type, dict[str, Range]] = {}
"""Ranges that were looked for, by class."""
_HINTS: dict[type, dict[str, Any]] = {}
"""Types of fields that were looked for, by class: to work them out takes longer than anything else here."""


def hints_of(cls: Any) -> dict[str, Any]:
    """Return the types of a class's fields, without what else `Annotated` says of them."""
    if cls not in _HINTS:
        _HINTS[cls] = get_type_hints(cls)
    return _HINTS[cls]


def unknown_key(name: str, known: list[str], what: str = "setting") -> UsageError:
    """Return the error for a misspelt name, with the nearest known one."""
    near = _nearest(name[:_LONGEST_NAME], known)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else f"; known: {', '.join(known[:12])}"
    return UsageError(f"there is no {what} {shown(name)}{hint}")


def _nearest(name: str, known: list[str]) -> list[str]:
    """Return what may be meant: names of this end, of these initials (`lr`), with this word, else one spelt alike."""
    group, _, last = name.rpartition(".")
    words = {one: one.rpartition(".")[2].split("_") for one in known if "." in one and one.startswith(group)}
    same = [one for one, parts in words.items() if "_".join(parts) in (last, last + "s")]
    initials = [one for one, parts in words.items() if "".join(part[:1] for part in parts) == last]
    holding = [one for one, parts in words.items() if last in parts]
    return (same or initials or holding)[:3] or difflib.get_close_matches(name, known, n=1, cutoff=0.5)


def plain(value: Any) -> Any:
    """Return nested dictionaries with lists in place of tuples."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def leaf_names(cls: type, prefix: str = "") -> list[str]:
    """Return the dotted names of all settings of nested data classes."""
    names: list[str] = []
    for name, hint in hints_of(cls).items():
        if dataclasses.is_dataclass(hint):
            names += leaf_names(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            names.append(prefix + name)
    return names


def hint_of(cls: type, name: str) -> Any:
    """Return the type of the setting with a dotted name; raises `UsageError` for an unknown one and for a group."""
    hint: Any = cls
    for part in name.split("."):
        hints = hints_of(hint) if dataclasses.is_dataclass(hint) else {}
        if part not in hints:
            raise unknown_key(name, leaf_names(cls))
        hint = hints[part]
    if dataclasses.is_dataclass(hint):
        raise UsageError(f"{name!r} is a group of settings; set one of {', '.join(hints_of(hint))}")
    return hint


def parse_text(hint: Any, text: str, name: str) -> Any:
    """Turn the text of a setting into a value of its type; raises `UsageError`."""
    words, plain_hint = words_and(hint)
    if text in words:
        return text
    hint, wanted, origin = plain_hint, _type_name(hint), get_origin(plain_hint)
    try:
        if hint is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if hint is float and text.endswith("%"):
            return from_percent(text[:-1])
        if hint in (int, float):
            return hint(text.replace("_", ""))
        if origin is tuple:
            return [float(part) for part in text.strip("[]()").split(",") if part.strip()]
    except (KeyError, ValueError, ArithmeticError) as error:
        raise UsageError(f"{name} wants {wanted}, not {shown(text)}") from error
    return text


def build(cls: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Build nested data classes from nested dictionaries; raises `UsageError` at unknown keys and wrong types."""
    hints = hints_of(cls)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise unknown_key(f"{prefix}{key}", leaf_names(cls, prefix) + [f"{prefix}{name}" for name in hints])
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise UsageError(f"{prefix}{key} is a group of settings, not {shown(value)}")
            arguments[key] = build(hint, value, f"{prefix}{key}.")
        else:
            arguments[key] = _checked(hint, value, f"{prefix}{key}")
    return cls(**arguments)


def _checked(hint: Any, value: Any, name: str) -> Any:
    words, plain_hint = words_and(hint)
    if words:
        return value if isinstance(value, str) and value in words else _plainly_checked(plain_hint, value, name, hint)
    return _plainly_checked(hint, value, name, hint)


def _plainly_checked(hint: Any, value: Any, name: str, told: Any) -> Any:
    origin = get_origin(hint)
    if origin is Literal:
        options = get_args(hint)
        if value not in options:
            given = value if isinstance(value, str) else shown(value)
            raise unknown_key(given, [str(option) for option in options], f"value of {name}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_checked(get_args(hint)[0], item, name) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > _LARGEST:
            raise UsageError(f"{name} is larger than any number that lamo works with")
        return float(value)
    if hint is str and isinstance(value, str):
        _check_text(value, name)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise UsageError(f"{name} wants {_type_name(told)}, not {shown(value)}")


def _check_text(value: str, name: str) -> None:
    if len(value) > _LONGEST_TEXT:
        raise UsageError(f"{name} is longer than any text of a setting: {shown(value)}")
    if not is_plain(value):
        raise UsageError(f"{name} holds a character that does not print: {shown(value)}; write it without")


def words_and(hint: Any) -> tuple[tuple[str, ...], Any]:
    """Return the words that a setting takes beside values of a type, such as `auto`, and that type."""
    if get_origin(hint) not in (Union, types.UnionType):
        return (), hint
    words = tuple(word for part in get_args(hint) if get_origin(part) is Literal for word in get_args(part))
    (kind,) = (part for part in get_args(hint) if get_origin(part) is not Literal)
    return words, kind


def _type_name(hint: Any) -> str:
    words, hint = words_and(hint)
    if words:
        return " or ".join([_type_name(hint), *words])
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(hint, "a list of numbers")
