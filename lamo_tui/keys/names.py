"""Names of keys: as Textual calls them, as people write them, and whether a terminal can send them at all."""

from __future__ import annotations

import string

from lamo_core.errors import UsageError
from lamo_core.settings.strict import unknown_key

PUNCTUATION = {
    "exclamation_mark": "!",
    "quotation_mark": '"',
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "apostrophe": "'",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "asterisk": "*",
    "plus": "+",
    "comma": ",",
    "minus": "-",
    "full_stop": ".",
    "slash": "/",
    "colon": ":",
    "semicolon": ";",
    "less_than_sign": "<",
    "equals_sign": "=",
    "greater_than_sign": ">",
    "question_mark": "?",
    "at": "@",
    "left_square_bracket": "[",
    "backslash": "\\",
    "right_square_bracket": "]",
    "circumflex_accent": "^",
    "underscore": "_",
    "grave_accent": "`",
    "left_curly_bracket": "{",
    "vertical_line": "|",
    "right_curly_bracket": "}",
    "tilde": "~",
}
"""Textual's names of what is neither letter nor digit."""
_SHORT = {
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "delete": "del",
    "insert": "ins",
    "backspace": "bksp",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
_NAME_OF = {sign: name for name, sign in PUNCTUATION.items()} | {" ": "space"}

_HELD = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_MOVING = ("up", "down", "left", "right", "home", "end")
_SAME = {
    "ctrl+h": "backspace",
    "ctrl+i": "tab",
    "ctrl+j": "enter",
    "ctrl+m": "enter",
    "ctrl+left_square_bracket": "escape",
}
"""What terminals send as another key."""
_SENT = (
    *string.ascii_letters,
    *string.digits,
    *PUNCTUATION,
    *(f"f{number}" for number in range(1, 13)),
    *("escape", "enter", "tab", "shift+tab", "space", "backspace", "insert", "delete", "pageup", "pagedown"),
    *_MOVING,
    *(f"{held}+{name}" for held in ("shift", "ctrl") for name in _MOVING),
    *(name for letter in string.ascii_lowercase if (name := f"ctrl+{letter}") not in _SAME),
    *(f"alt+{letter}" for letter in string.ascii_lowercase + string.digits),
)
"""Keys that practically every terminal sends, each as itself."""


def names_in(keys: str) -> list[str]:
    """Return Textual's names of keys that are separated by commas; a sign may stand for its name."""
    return [_NAME_OF.get(name, name) for part in keys.split(",") if (name := part.strip())]


def shown_key(name: str) -> str:
    """Return a key name as people write it: `ctrl+p` as `^p`, `slash` as `/`."""
    name = name.strip()
    for held, sign in (("ctrl+", "^"), ("shift+", "⇧")):
        if name.startswith(held):
            return sign + shown_key(name.removeprefix(held))
    return _SHORT.get(name) or PUNCTUATION.get(name, name)


def check_sendable(name: str) -> None:
    """Raise `UsageError` at what is no key, and at a key that terminals do not send as itself."""
    if name in _SENT or (len(name) == 1 and name.isalnum()):
        return
    held, _, rest = name.rpartition("+")
    if name in _SAME:
        raise UsageError(f"a terminal sends {name} as {_SAME[name]}, so it cannot have a meaning of its own")
    if held == "shift" and len(rest) == 1 and rest.isalpha():
        raise UsageError(f"a terminal sends {name} as {rest.upper()}; take {rest.upper()}")
    if held and _HELD.issuperset(held.split("+")) and (rest in _SENT or len(rest) == 1):
        raise UsageError(f"many terminals cannot send {name}; take a letter, a sign, ctrl with a letter, or f1 to f12")
    raise unknown_key(name, list(_SENT), "key")
