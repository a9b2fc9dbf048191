"""Colours: themes, the palette that drawing code uses, and the letters of run states.

The default themes use colours that people with any colour vision tell apart (after Okabe and Ito, 2008). Colour never
stands alone: a letter, a word or a marker says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.theme import Theme

from lamo_tui.widgets.palette import DARK as DARK_SERIES
from lamo_tui.widgets.palette import LIGHT as LIGHT_SERIES

DARK = Theme(
    name="lamo-dark",
    primary="#56b4e9",
    secondary="#e69f00",
    accent="#cc79a7",
    success="#2fbf8f",
    warning="#f0c808",
    error="#ee6c3a",
    foreground="#d3d8de",
    background="#0e1216",
    surface="#141a20",
    panel="#1c242c",
    dark=True,
    variables={"border": "#2a343e", "input-selection-background": "#56b4e9 35%"},
)
LIGHT = Theme(
    name="lamo-light",
    primary="#0072b2",
    secondary="#b36b00",
    accent="#a0487a",
    success="#00795a",
    warning="#8a6d00",
    error="#c04000",
    foreground="#20262c",
    background="#fafaf7",
    surface="#f1f1ec",
    panel="#e4e4de",
    dark=False,
    variables={"border": "#c8c8c0"},
)
THEMES = (DARK, LIGHT)
CYCLE = (DARK.name, LIGHT.name, "nord", "gruvbox", "tokyo-night", "ansi-dark")
"""Themes that the theme key goes through; the palette offers all of Textual's."""


@dataclass(frozen=True)
class Palette:
    """Colours as Rich knows them."""

    text: str
    dim: str
    faint: str
    """Rules and empty parts of bars."""
    ground: str
    panel: str
    cursor: str
    primary: str
    secondary: str
    good: str
    warn: str
    bad: str
    series: tuple[str, ...]

    def state(self, state: str) -> str:
        """Return the colour of a run's state."""
        return {
            "running": self.good,
            "finished": self.text,  # most runs are: colour is for those that want a look
            "paused": self.warn,
            "stalled": self.warn,
            "queued": self.secondary,
            "failed": self.bad,
            "lost": self.bad,
        }.get(state, self.dim)


LETTERS = {
    "queued": "Q",
    "running": "R",
    "stalled": "!",
    "paused": "P",
    "finished": "F",
    "stopped": "S",
    "failed": "X",
    "lost": "?",
}
"""One letter per state, for lists."""


def palette(theme: Theme, variables: Mapping[str, str]) -> Palette:
    """Return the colours of a theme; `variables` are the app's resolved CSS variables."""

    def colour(name: str, fallback: str) -> str:
        value = variables.get(name, fallback)
        return value.removeprefix("ansi_") if value.startswith("ansi_") else value.split()[0]

    ansi = colour("background", "").startswith("default") or variables.get("background", "").startswith("ansi_")
    series = DARK_SERIES if theme.dark else LIGHT_SERIES
    return Palette(
        text=colour("foreground", "white"),
        dim="bright_black" if ansi else _mix(colour("foreground", "#cccccc"), colour("background", "#000000"), 0.42),
        faint="bright_black" if ansi else _mix(colour("foreground", "#cccccc"), colour("background", "#000000"), 0.76),
        ground=colour("background", "black"),
        panel=colour("panel", "black"),
        cursor="blue" if ansi else _mix(colour("primary", "#5599ee"), colour("background", "#000000"), 0.72),
        primary=colour("primary", "blue"),
        secondary=colour("secondary", "yellow"),
        good=colour("success", "green"),
        warn=colour("warning", "yellow"),
        bad=colour("error", "red"),
        series=series,
    )


def _mix(colour: str, other: str, share: float) -> str:
    """Return `colour` with a share of `other`; what is no hex colour stays as it is."""
    if not (colour.startswith("#") and other.startswith("#")):
        return colour
    pairs = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
