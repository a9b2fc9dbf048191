"""For terminals and fonts that have ASCII only: every character of the screen, Textual's own too, becomes one of it.

It is done to the lines that are ready to be sent, so that no widget can be forgotten and each cell stays a cell.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import color
from textual.filter import LineFilter
from textual.scrollbar import ScrollBarRender

from lamo_tui.terminal.ascii_fallback import LIKENESS, plain_braille

_HALF = "▀"


def to_ascii(text: str) -> str:
    """Return `text` in ASCII, as many terminal columns wide as it was; what has no likeness becomes `?`."""
    return text if text.isascii() else "".join(map(_plain, text))


@lru_cache(maxsize=4096)
def _plain(glyph: str) -> str:
    if glyph.isascii():
        return glyph
    likeness = LIKENESS.get(glyph) or plain_braille(glyph)
    if likeness:
        return likeness
    width = cell_len(glyph)
    letters = "".join(part for part in unicodedata.normalize("NFKD", glyph) if part.isascii() and part.isprintable())
    return letters if len(letters) == width else "?" * width


class AsciiOnly(LineFilter):
    """Makes lines of ASCII; two pixels of a frame above each other become one colour, their mean."""

    def apply(self, segments: list[Segment], background: color.Color) -> list[Segment]:
        """Return the line's segments in ASCII."""
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [_segment(segment) for segment in segments]


def _segment(segment: Segment) -> Segment:
    text, style, control = segment
    if style is not None and style.color is not None and style.bgcolor is not None and not text.strip(_HALF):
        return Segment(" " * len(text), _mean(style), control)
    return Segment(to_ascii(text), style, control)


@lru_cache(maxsize=4096)
def _mean(style: Style) -> Style:
    assert style.color is not None
    assert style.bgcolor is not None
    upper, lower = style.color.get_truecolor(), style.bgcolor.get_truecolor(foreground=False)
    return Style(bgcolor=Color.from_rgb(*((one + two) // 2 for one, two in zip(upper, lower, strict=True))))


class PlainScrollBar(ScrollBarRender):
    """A scroll bar without parts of cells, which would be letters."""

    VERTICAL_BARS = [" "] * 8
    HORIZONTAL_BARS = [" "] * 8
