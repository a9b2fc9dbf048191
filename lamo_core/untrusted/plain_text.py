"""Untrusted text as a terminal may show it: names, notes and logs can hold characters that a terminal interprets."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from typing import Any

_INVISIBLE = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What a reader does not see: marks of format and of direction, characters that are blank or ignored, line separators.

The two marks that choose between a sign's plain and its coloured form (FE0E, FE0F) are no such characters.
"""
_OBEYED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff]")
_NOT_A_CELL = re.compile(f"[\x00-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff]")


def plain_text(text: str) -> str:
    r"""Return text with every character that a terminal would interpret or hide written out, such as `\x1b`."""
    return text if text.isascii() and text.isprintable() else _OBEYED.sub(_written_out, text)


def plain_line(text: str) -> str:
    """Return text as `plain_text` does, with tabs and ends of lines written out as well."""
    return text if text.isascii() and text.isprintable() else _NOT_A_CELL.sub(_written_out, text)


def plain_values(value: Any) -> Any:
    """Return what JSON or TOML holds with every text in it, names of keys too, as `plain_text` gives it."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    if isinstance(value, dict):
        return {plain_text(key): plain_values(item) for key, item in value.items()}
    return value


class _Short(reprlib.Repr):
    """Spells a value in a few words, however large, deep or often referred to its parts are."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 4
        self.maxstring = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        """Return a whole number; one that Python takes long to spell by its size alone."""
        return repr(x) if abs(x) < 10**40 else f"a whole number of {x.bit_length()} bits"


_SHORT = _Short()


def shown(value: Any) -> str:
    """Return a value for a message: short, on one line, and with nothing in it that a terminal would interpret."""
    return plain_text(_SHORT.repr(value))


def one_line(error: BaseException) -> str:
    """Return the beginning of what an error says, for a message that explains it."""
    text = str(error).strip().splitlines()
    return plain_line(text[0][:200]) if text else type(error).__name__


def is_plain(text: str) -> bool:
    """Return whether text is one line that holds nothing that a terminal would interpret or hide."""
    return (text.isascii() and text.isprintable()) or _NOT_A_CELL.search(text) is None


def is_utf8(name: str) -> bool:
    """Return whether a name can be written as UTF-8; of other bytes in names Python makes halves of pairs."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_obeyed(text: str, instead: Callable[[str], str]) -> str:
    """Return one line of text with a replacement for each character that a terminal would interpret or hide."""
    return _NOT_A_CELL.sub(lambda found: instead(found[0]), text)


def plain_json(text: str) -> str:
    """Return JSON that means the same and holds no character that a terminal would interpret or hide."""
    return _OBEYED.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in _utf16(found[0])), text)


def _utf16(letter: str) -> list[int]:
    """Return the one or two numbers by which JSON spells a letter."""
    code = ord(letter)
    return [code] if code < 0x10000 else [0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)]


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
