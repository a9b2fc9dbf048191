"""Nested data classes from plain dictionaries and texts, with a clear error for everything that does not fit."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lamo_core.errors import UsageError

_LARGEST = 10**300
"""Whole numbers beyond it have no place among the others."""


def unknown_key(name: str, known: list[str], what: str = "setting") -> UsageError:
    """Return the error for a misspelt name, with the nearest known one."""
    near = _nearest(name, known)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else f"; known: {', '.join(known[:12])}"
    return UsageError(f"there is no {what} {name!r}{hint}")


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
    for name, hint in get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            names += leaf_names(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            names.append(prefix + name)
    return names


def hint_of(cls: type, name: str) -> Any:
    """Return the type of the setting with a dotted name; raises `UsageError` for an unknown one and for a group."""
    hint: Any = cls
    for part in name.split("."):
        hints = get_type_hints(hint) if dataclasses.is_dataclass(hint) else {}
        if part not in hints:
            raise unknown_key(name, leaf_names(cls))
        hint = hints[part]
    if dataclasses.is_dataclass(hint):
        raise UsageError(f"{name!r} is a group of settings; set one of {', '.join(get_type_hints(hint))}")
    return hint


def parse_text(hint: Any, text: str, name: str) -> Any:
    """Turn the text of a setting into a value of its type; raises `UsageError`."""
    words, plain_hint = _words_and(hint)
    if text in words:
        return text
    hint, wanted, origin = plain_hint, _type_name(hint), get_origin(plain_hint)
    try:
        if hint is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if hint is float and text.endswith("%"):
            return float(text[:-1]) / 100
        if hint in (int, float):
            return hint(text.replace("_", ""))
        if origin is tuple:
            return [float(part) for part in text.strip("[]()").split(",") if part.strip()]
    except (KeyError, ValueError) as error:
        raise UsageError(f"{name} wants {wanted}, not {text!r}") from error
    return text


def build(cls: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Build nested data classes from nested dictionaries; raises `UsageError` at unknown keys and wrong types."""
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise unknown_key(f"{prefix}{key}", leaf_names(cls, prefix) + [f"{prefix}{name}" for name in hints])
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise UsageError(f"{prefix}{key} is a group of settings, not {value!r}")
            arguments[key] = build(hint, value, f"{prefix}{key}.")
        else:
            arguments[key] = _checked(hint, value, f"{prefix}{key}")
    return cls(**arguments)


def _checked(hint: Any, value: Any, name: str) -> Any:
    words, plain_hint = _words_and(hint)
    if words:
        return value if isinstance(value, str) and value in words else _plainly_checked(plain_hint, value, name, hint)
    return _plainly_checked(hint, value, name, hint)


def _plainly_checked(hint: Any, value: Any, name: str, told: Any) -> Any:
    origin = get_origin(hint)
    if origin is Literal:
        options = get_args(hint)
        if value not in options:
            raise unknown_key(str(value), [str(option) for option in options], f"value of {name}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_checked(get_args(hint)[0], item, name) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > _LARGEST:
            raise UsageError(f"{name} is larger than any number that lamo works with")
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise UsageError(f"{name} wants {_type_name(told)}, not {value!r}")


def _words_and(hint: Any) -> tuple[tuple[str, ...], Any]:
    """Return the words that a setting takes beside values of a type, such as `auto`, and that type."""
    if get_origin(hint) not in (Union, types.UnionType):
        return (), hint
    words = tuple(word for part in get_args(hint) if get_origin(part) is Literal for word in get_args(part))
    (kind,) = (part for part in get_args(hint) if get_origin(part) is not Literal)
    return words, kind


def _type_name(hint: Any) -> str:
    words, hint = _words_and(hint)
    if words:
        return " or ".join([_type_name(hint), *words])
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(hint, "a list of numbers")
