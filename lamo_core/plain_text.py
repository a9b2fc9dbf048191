"""Text of strangers as a terminal may show it: names, notes and logs can hold letters that a terminal obeys."""

from __future__ import annotations

import re

# control characters but tab and newline, halves of pairs, and marks that turn the direction of writing
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_text(text: str) -> str:
    r"""Return text with every letter that a terminal would obey written out, such as `\x1b` for an escape."""
    return _OBEYED.sub(_written_out, text)


def plain_json(text: str) -> str:
    """Return JSON that means the same and holds no letter that a terminal would obey."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
