"""JSON and TOML from outside, parsed within bounds: a text that no program of ours would write is a `ValueError`.

Python's own parsers end a text that is nested a thousand times in a `RecursionError`, and take one that is nested
nine hundred times, which then ends whatever walks through it.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

MOST_NESTED = 64
"""Values within values, in any text that is read."""


class TooDeep(ValueError):
    """A text that is nested too deeply."""

    def __init__(self) -> None:
        super().__init__(f"it is nested deeper than {MOST_NESTED} levels")


_LONG_NAME = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{MOST_NESTED}}}")
"""A dotted name of so many parts, for which Python's parser of TOML takes time that grows with their square."""


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text holds; raises `ValueError` for anything else, `TooDeep` for one that is nested so."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise TooDeep from error
    if not surely_flat(text) and _is_deep(value):
        raise TooDeep
    return value


def surely_flat(text: str | bytes, texts: int = 1) -> bool:
    """Return whether so few brackets stand in so many joined JSON objects that none is nested too deeply."""
    brackets = text.count(b"{") + text.count(b"[") if isinstance(text, bytes) else text.count("{") + text.count("[")
    return brackets < MOST_NESTED + texts


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds; raises `ValueError` for anything else, `TooDeep` for one that is nested so."""
    if _LONG_NAME.search(text):
        raise TooDeep
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise TooDeep from error
    if _is_deep(values):
        raise TooDeep
    return values


def _is_deep(value: Any) -> bool:
    """Return whether there are too many levels of objects and lists."""
    level = [value]
    for _ in range(MOST_NESTED):
        level = [item for item in level if isinstance(item, dict | list)]
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
