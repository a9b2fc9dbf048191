"""A game's screen in real pixels where the terminal draws them (Kitty's graphics protocol), else in half blocks.

A frame is sent compressed, at its own size; the terminal scales it over cells that hold placeholder characters. Two
image numbers take turns: sending an image again under its own number would make the terminal drop it first, and the
picture would flicker. A number is told by the colour of the placeholders.
"""

from __future__ import annotations

import base64
import itertools
import os
import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip

from lamo_core.player.half_blocks import Frame
from lamo_tui.terminal.graphics import Graphics
from lamo_tui.widgets.frame_view import FrameView

_PLACEHOLDER = "\U0010eeee"
_CHUNK = 4096
_ANCHOR = 8
"""Every so many cells say where they are; those between follow their neighbour."""
_MARKS = (
    "0305 030D-030E 0310 0312 033D-033F 0346 034A-034C 0350-0352 0357 035B 0363-036F 0483-0487 0592-0595 0597-0599 "
    "059C-05A1 05A8-05A9 05AB-05AC 05AF 05C4 0610-0617 0657-065B 065D-065E 06D6-06DC 06DF-06E2 06E4 06E7-06E8 "
    "06EB-06EC 0730 0732-0733 0735-0736 073A 073D 073F-0741 0743 0745 0747 0749-074A 07EB-07F1 07F3 0816-0819 "
    "081B-0823 0825-0827 0829-082D"
)
"""Combining characters that stand for the numbers 0, 1, 2, …, as the protocol lists them."""
_numbers = itertools.count(os.getpid() % 4096 * 16 + 0x010000, 2)


@lru_cache(maxsize=1)
def number_marks() -> tuple[str, ...]:
    """Return the combining characters that number rows and columns."""
    marks: list[str] = []
    for part in _MARKS.split():
        first, _, last = part.partition("-")
        marks += [chr(code) for code in range(int(first, 16), int(last or first, 16) + 1)]
    return tuple(marks)


def transmission(frame: Frame, number: int, columns: int, rows: int) -> list[str]:
    """Return the escape sequences that send a frame (H, W, 3) as image `number`, to be scaled over so many cells."""
    height, width = frame.shape[:2]
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(frame).tobytes(), 1)).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    head = f"a=T,U=1,q=2,f=24,o=z,i={number},s={width},v={height},c={columns},r={rows},"
    return [
        f"\x1b_G{head if index == 0 else ''}m={int(index < len(chunks) - 1)};{chunk}\x1b\\"
        for index, chunk in enumerate(chunks)
    ]


def placeholders(row: int, columns: int) -> str:
    """Return the text of one row of an image."""
    marks = number_marks()
    cells = []
    for column in range(columns):
        anchored = column % _ANCHOR == 0 and column < len(marks)
        cells.append(_PLACEHOLDER + (marks[row] + marks[column] if anchored else ""))
    return "".join(cells)


class PixelView(FrameView):
    """A `FrameView` that sends pixels when `graphics` is set; `covered` says that something lies over it."""

    graphics: Graphics | None = None
    covered = False
    write: Callable[[str], None] | None = None
    """Sends to the terminal; None until the view is mounted in an app with a terminal."""

    def on_mount(self) -> None:
        """Find the way to the terminal and take two image numbers."""
        first = next(_numbers)
        self._ids, self._turn = (first, first + 1), 0
        self._area = (0, 0)
        self._sent: Frame | None = None
        driver = self.app._driver
        if self.write is None and driver is not None and not self.app.is_headless:
            self.write = driver.write

    @property
    def pixels(self) -> bool:
        """Whether real pixels are drawn now."""
        return (
            self.graphics is not None
            and not self.covered
            and self.write is not None
            and self.app.console.color_system == "truecolor"
        )

    def show(self, frame: Frame | None) -> None:
        """Show a frame; None clears the view."""
        if frame is None or not self.pixels or min(self.size) < 1:
            self._drop()
            super().show(frame)
            return
        self._frame = frame
        self._count()
        if self._sent is not None and self._area != (0, 0) and np.array_equal(self._sent, frame):
            self.frame_bytes = 0
            return
        self._keys = None
        self._send(frame)

    def change(self, *, graphics: Graphics | None, covered: bool) -> None:
        """Draw with pixels or without from now on."""
        if (graphics, covered) == (self.graphics, self.covered):
            return
        self.graphics, self.covered = graphics, covered
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the present frame to the new size."""
        self._redraw()

    def on_unmount(self) -> None:
        """Let the terminal forget the images."""
        self._drop()

    def _redraw(self) -> None:
        self._strips.clear()
        self._keys, self._sent = None, None
        if self._frame is not None and min(self.size) > 0:
            if self.pixels:
                self._send(self._frame)
            else:
                self._drop()
                self._fit(self._frame)
        self.refresh()

    def _send(self, frame: Frame) -> None:
        assert self.graphics is not None
        assert self.write is not None
        columns, rows = self._cells(frame, self.graphics)
        self._area = (columns, rows)
        self._left, self._top = (self.size.width - columns) // 2, (self.size.height - rows) // 2
        self._turn = 1 - self._turn
        sequences = [self.graphics.wrapped(part) for part in transmission(frame, self._ids[self._turn], columns, rows)]
        self.write("".join(sequences))
        self._sent = frame
        self._strips.clear()
        self.frame_bytes = sum(map(len, sequences)) + rows * (len(placeholders(0, columns).encode()) + 30)
        self.refresh()

    def _cells(self, frame: Frame, graphics: Graphics) -> tuple[int, int]:
        """Return the columns and rows that the frame fills without changing its shape."""
        wide, tall = graphics.cell
        most_columns, most_rows = self.size.width, min(self.size.height, len(number_marks()))
        shape = frame.shape[1] * self.pixel_aspect / frame.shape[0]
        columns = min(most_columns, round(most_rows * tall * shape / wide))
        rows = min(most_rows, round(columns * wide / shape / tall))
        return max(1, columns), max(1, rows)

    def _drop(self) -> None:
        if self._sent is None and self._area == (0, 0):
            return
        self._sent, self._area = None, (0, 0)
        self._strips.clear()
        if self.write is not None and self.graphics is not None:
            self.write("".join(self.graphics.wrapped(f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\") for number in self._ids))

    def _line(self, y: int) -> Strip:
        columns, rows = getattr(self, "_area", (0, 0))
        if not columns or not self.pixels:
            return super()._line(y)
        width, plain, row = self.size.width, Style(bgcolor=self.background_colors[1].rich_color), y - self._top
        if not 0 <= row < rows:
            return Strip.blank(width, plain)
        number = self._ids[self._turn]
        ink = plain + Style(color=Color.from_rgb(number >> 16 & 255, number >> 8 & 255, number & 255))
        right = width - self._left - columns
        segments = [
            Segment(" " * self._left, plain),
            Segment(placeholders(row, columns), ink),
            Segment(" " * max(0, right), plain),
        ]
        return Strip([segment for segment in segments if segment.text], width)
