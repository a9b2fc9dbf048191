"""Colours for terminals that have 256 of them, such as screen and tmux unless they are told otherwise.

Each colour becomes the nearest of the terminal's cube and greys. What Rich would take instead turns dark greys into
black and dark blues into a bright teal, so that panels, bands and the line under the cursor stand out wrongly.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color, ColorType
from rich.segment import Segment
from rich.style import Style
from textual import color
from textual.filter import LineFilter

_STEPS = (0, 95, 135, 175, 215, 255)
"""Levels of red, green and blue in the cube, colours 16 to 231; the greys 232 to 255 are 8, 18, …, 238."""


@lru_cache(maxsize=1 << 16)
def nearest(red: int, green: int, blue: int) -> int:
    """Return the number of the nearest of the colours 16 to 255, whose values no theme of a terminal changes."""
    cube = [min(range(6), key=lambda step: abs(_STEPS[step] - part)) for part in (red, green, blue)]
    grey = min(23, max(0, round(((red + green + blue) / 3 - 8) / 10)))
    from_cube = sum((_STEPS[step] - part) ** 2 for step, part in zip(cube, (red, green, blue), strict=True))
    from_grey = sum((8 + 10 * grey - part) ** 2 for part in (red, green, blue))
    return 232 + grey if from_grey < from_cube else 16 + 36 * cube[0] + 6 * cube[1] + cube[2]


class Nearest256(LineFilter):
    """Gives lines only colours that the terminal has."""

    def apply(self, segments: list[Segment], background: color.Color) -> list[Segment]:
        """Return the line's segments in the nearest colours."""
        return [
            segment if segment.style is None else Segment(segment.text, _style(segment.style), segment.control)
            for segment in segments
        ]


@lru_cache(maxsize=1 << 14)
def _style(style: Style) -> Style:
    return style + Style(color=_colour(style.color), bgcolor=_colour(style.bgcolor))


def _colour(exact: Color | None) -> Color | None:
    if exact is None or exact.type is not ColorType.TRUECOLOR or exact.triplet is None:
        return None
    return Color.from_ansi(nearest(*exact.triplet))
