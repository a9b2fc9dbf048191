"""Colours that colour-blind people can tell apart, and the letter that always goes with each.

After Okabe and Ito (2008), lightened for dark screens and darkened for light ones; black and the yellow that
vanishes on white are replaced.
"""

from __future__ import annotations

DARK: tuple[str, ...] = (
    "#56b4e9",
    "#e69f00",
    "#2ec4a0",
    "#e78ac3",
    "#f0e442",
    "#ff7a4d",
    "#8da0f5",
    "#b8b8b8",
)
"""Series colours on a dark screen."""
LIGHT: tuple[str, ...] = (
    "#0072b2",
    "#b87800",
    "#00805e",
    "#b8508f",
    "#8a7d00",
    "#c04a00",
    "#4a55b5",
    "#606060",
)
"""The same series on a light screen."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def colour_of(index: int, dark: bool = True) -> str:
    """Return the colour of series number `index` as `#rrggbb`; colours repeat after eight, letters after 26."""
    colours = DARK if dark else LIGHT
    return colours[index % len(colours)]


def letter_of(index: int) -> str:
    """Return the letter of series number `index`."""
    return LETTERS[index % len(LETTERS)]
