"""A grid of terminal cells, drawn into with NumPy and read out as runs of equally painted text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len


class Paint(NamedTuple):
    """What something is painted with: a colour (`#rrggbb` or a role of the theme) mixed into the background.

    Roles are `text`, `accent`, `warning`, `error` and `success`; `strength` 1 is the pure colour.
    """

    colour: str
    strength: float = 1.0
    bold: bool = False


TEXT = Paint("text")
STRONG = Paint("text", bold=True)
MUTED = Paint("text", 0.62)
FAINT = Paint("text", 0.32)
GRID = Paint("text", 0.16)
ACCENT = Paint("accent", bold=True)
FOCUS = Paint("primary", bold=True)
WARNING = Paint("warning")

Run = tuple[str, Paint, Paint | None]
"""Text with its ink, and with its paper where that is not the widget's background."""


@lru_cache(maxsize=4096)
def narrow(text: str) -> str:
    """Return `text` with every character that does not fill exactly one cell replaced by `?`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(glyph if cell_len(glyph) == 1 and glyph.isprintable() else "?" for glyph in text)


def shorten(text: str, width: int) -> str:
    """Return `text` cut to `width` characters, the last being `…` where something was cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…" * (width > 0)


class Cells:
    """A grid of (height, width) cells, each with a glyph, an ink and perhaps a paper."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.glyphs = np.full((height, width), ord(" "), np.uint32)
        self._inks = np.zeros((height, width), np.int16)
        self._papers = np.full((height, width), -1, np.int16)
        self._paints: list[Paint] = [TEXT]
        self._keys: dict[Paint, int] = {TEXT: 0}

    def _key(self, paint: Paint) -> int:
        if paint not in self._keys:
            self._keys[paint] = len(self._paints)
            self._paints.append(paint)
        return self._keys[paint]

    def write(self, row: int, column: int, text: str, ink: Paint = TEXT, paper: Paint | None = None) -> int:
        """Write `text`, cut at the edges, and return the column after it."""
        text = narrow(text)
        end = column + len(text)
        if 0 <= row < self.height and end > 0 and column < self.width:
            shown = text[max(0, -column) : max(0, self.width - column)]
            span = slice(max(0, column), max(0, column) + len(shown))
            self.glyphs[row, span] = np.frombuffer(shown.encode("utf-32-le"), np.uint32)
            self._inks[row, span] = self._key(ink)
            if paper is not None:
                self._papers[row, span] = self._key(paper)
        return end

    def draw(self, row: int, column: int, glyphs: NDArray[np.uint32], ink: Paint) -> None:
        """Put a block of glyphs (h, w) at (`row`, `column`), which must fit; 0 leaves a cell as it is."""
        there = glyphs > 0
        area = (slice(row, row + glyphs.shape[0]), slice(column, column + glyphs.shape[1]))
        self.glyphs[area][there] = glyphs[there]
        self._inks[area][there] = self._key(ink)

    def shade(self, row: int, column: int, mask: NDArray[np.bool_], paper: Paint) -> None:
        """Give the cells of `mask` (h, w) at (`row`, `column`) a paper."""
        area = (slice(row, row + mask.shape[0]), slice(column, column + mask.shape[1]))
        self._papers[area][mask] = self._key(paper)

    def runs(self, row: int) -> Iterator[Run]:
        """Return the pieces of one row, left to right."""
        ink, paper = self._inks[row], self._papers[row]
        text = self.glyphs[row].tobytes().decode("utf-32-le")
        cuts = np.flatnonzero((ink[1:] != ink[:-1]) | (paper[1:] != paper[:-1])) + 1
        edges = [0, *cuts.tolist(), self.width]
        for start, end in itertools.pairwise(edges):
            behind = int(paper[start])
            yield text[start:end], self._paints[ink[start]], None if behind < 0 else self._paints[behind]

    def text(self) -> str:
        """Return the glyphs alone, one line per row, without blanks at the ends."""
        return "\n".join(row.tobytes().decode("utf-32-le").rstrip() for row in self.glyphs)
