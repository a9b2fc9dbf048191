"""What of ASCII looks like the characters that are drawn here, for streams, terminals and fonts without them."""

from __future__ import annotations

import codecs
from typing import Protocol

_ALIKE = {
    "─╌┄╴╶–—‒‐−▔": "-",
    "━╸╺═": "=",
    "│┃║╎┆╏▌▐▏▎▍": "|",
    "╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛╔╗╚╝": "+",
    "▁": ".",
    "▂": ":",
    "▃": "-",
    "▄": "=",
    "▅": "+",
    "▆": "*",
    "▇": "%",
    "█▉▊▋■▛▜▙▟": "#",
    "▀▘▝▚▞": '"',
    "▖▗": ".",
    "·": "|",
    "…": "~",
    "▸▶→›": ">",
    "◂◀←‹": "<",
    "▴▲↑": "^",
    "▾▼↓": "v",
    "⇧": "S",
    "●•◆": "*",
    "‖": "=",
    "×✗✕": "x",
    "✓✔": "+",
    "°": "'",
    "±≈": "~",
    "∞": "8",
    "§": "$",
    "‘’": "'",
    "“”": '"',
}
LIKENESS = {glyph: plain for glyphs, plain in _ALIKE.items() for glyph in glyphs}
"""A character that is drawn here to the one of ASCII that looks like it; both take one column."""

ERRORS = "lamo.likeness"
"""Name of the way in which a stream writes what its encoding lacks: characters of drawings and signs become others that
look like them, so that columns stay columns; letters, as of a file's name, are written out (`\\xe9`), lest it becomes
another file's."""


class Encoded(Protocol):
    """A text stream, as far as it matters here."""

    @property
    def encoding(self) -> str:
        """The name of its encoding."""


def plain_braille(glyph: str) -> str:
    """Return ASCII as dense as a braille pattern; empty for any other character."""
    if not "\u2800" <= glyph <= "\u28ff":
        return ""
    dots = (ord(glyph) & 0xFF).bit_count()
    return " .:*#"[(dots + 1) // 2]


def can_draw(stream: Encoded) -> bool:
    """Return whether a stream's encoding has what curves, bars and frames are drawn with."""
    try:
        "─━█▀▁⣿▸●".encode(stream.encoding)
    except (UnicodeEncodeError, LookupError):  # an encoding that nobody knows is none to trust
        return False
    return True


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        return codecs.backslashreplace_errors(error)
    lacking = error.object[error.start : error.end]
    plain = "".join(LIKENESS.get(glyph) or plain_braille(glyph) or _written_out(glyph) for glyph in lacking)
    return plain, error.end


def _written_out(glyph: str) -> str:
    return glyph.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERRORS, _replace)
