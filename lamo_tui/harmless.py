"""The last filter before the terminal: characters that it would interpret or hide, and links, never leave as cells.

It is done to the lines that are ready to be sent, so that no widget can forget it.
"""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual import color
from textual.filter import LineFilter

from lamo_core.untrusted.plain_text import is_plain
from lamo_tui.harmless_text import harmless


class Harmless(LineFilter):
    """Lets through what a terminal only shows."""

    def apply(self, segments: list[Segment], background: color.Color) -> list[Segment]:
        """Return the line's segments, as wide as they were."""
        if all(is_plain(text) and (style is None or style.link is None) for text, style, _ in segments):
            return segments
        return [Segment(harmless(text), None if style is None else _unlinked(style)) for text, style, _ in segments]


@lru_cache(maxsize=1024)
def _unlinked(style: Style) -> Style:
    return style if style.link is None else style.update_link(None)
