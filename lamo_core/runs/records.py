"""Strict JSON, one record per line: how a run's files and the commands' `--json` spell values.

JSON has no NaN and no infinities; they are written as the strings "NaN", "Infinity" and "-Infinity", which
`number` turns back. So a diverged loss differs from one never measured, and every JSON parser reads it. A run may come
from a stranger: what is read holds no character that a terminal would interpret.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lamo_core.untrusted.parsing import parse_json
from lamo_core.untrusted.plain_text import plain_values

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode(value: Any) -> str:
    """Return `value` as one line of strict JSON; data classes, mappings, paths and NumPy scalars will do."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError):  # something in it is no plain JSON; the first try is the fast one
        return json.dumps(plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """Return plain dictionaries, lists, strings and finite numbers; raises `TypeError` at anything else."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _word(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy here
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def decode(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in `text` with plain texts (`plain_text`), or None when it holds anything else."""
    try:
        value = parse_json(text)
    except ValueError:  # a UnicodeDecodeError is one
        return None
    if not isinstance(value, dict):
        return None
    return value if surely_plain(text) else dict(plain_values(value))


def surely_plain(text: str | bytes) -> bool:
    """Return whether JSON holds nothing that `plain_text` would write out, as far as a quick look tells."""
    backslash, delete = (b"\\", b"\x7f") if isinstance(text, bytes) else ("\\", "\x7f")
    return text.isascii() and backslash not in text and delete not in text  # type: ignore[operator]


def number(value: Any) -> float | None:
    """Return a record's value as a float, with the three words turned back; None when it is not a number."""
    if isinstance(value, str):
        return _WORDS.get(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
