"""A game's screen in a terminal: two pixels a cell in true colour, and only what changed is sent.

The caller keeps the clock: it shows the newest frame at most as often as it wants and drops the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from lamo_core.player.half_blocks import Frame, Keys, changed_spans, fitted_size, key_runs, pair_keys, resize
from lamo_tui.resilience import ResilientWidget
from lamo_tui.widgets.cells import FAINT

_LOW = (1 << 24) - 1


@lru_cache(maxsize=65536)
def _pen(key: int) -> tuple[str, Style, int]:
    """Return glyph, style and the bytes that switching to that style takes, for a pair of colours."""
    upper, lower = key >> 24, key & _LOW
    behind = Color.from_rgb(lower >> 16, lower >> 8 & 255, lower & 255)
    if upper == lower:
        style, glyph = Style(bgcolor=behind), " "
    else:
        style, glyph = Style(color=Color.from_rgb(upper >> 16, upper >> 8 & 255, upper & 255), bgcolor=behind), "▀"
    return glyph, style, len(style.render("", legacy_windows=False) or style.render("x")) - 1


class FrameView(ResilientWidget, Widget):
    """Frames (H, W, 3) uint8, as large as fits without changing their shape, in the middle.

    `pixel_aspect` is a pixel's width over its height: 1, or about 1.6 for an Atari on a television. `bits` of each
    colour channel are kept; 5 make smooth pictures cheaper to send.
    """

    DEFAULT_CSS: ClassVar[str] = "FrameView { width: 1fr; height: 1fr; }"

    def __init__(
        self,
        *,
        pixel_aspect: float = 1.0,
        bits: int = 8,
        clock: Callable[[], float] = time.monotonic,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.pixel_aspect, self.bits = pixel_aspect, bits
        self.fps = 0.0
        """Frames shown per second, averaged over about a second; 0 before the second frame."""
        self.frame_bytes = 0
        """About how many bytes of text and colours the last frame sends; moving the terminal's cursor comes on top."""
        self.frames = 0
        """How many frames were shown."""
        self._note = "no frame yet"
        self._clock = clock
        self._shown_at: float | None = None
        self._frame: Frame | None = None
        self._keys: Keys | None = None
        self._left = self._top = 0
        self._strips: dict[int, Strip] = {}

    def show(self, frame: Frame | None) -> None:
        """Show a frame; None clears the view. The array must not be changed afterwards."""
        if frame is None:
            self._frame = self._keys = self._shown_at = None
            self.fps, self.frame_bytes = 0.0, 0
            self._strips.clear()
            self.refresh()
            return
        self._frame = frame
        self._count()
        if self.size.width < 1 or self.size.height < 1:
            return
        before = self._keys, self._left, self._top
        self._fit(frame)
        if (self._left, self._top) != before[1:] or before[0] is None or before[0].shape != self._keys_shape():
            self._strips.clear()
            self.frame_bytes = self._bytes(changed_spans(None, self._present()))
            self.refresh()
            return
        spans = changed_spans(before[0], self._present())
        for row, _, _ in spans:
            self._strips.pop(row + self._top, None)
        self.frame_bytes = self._bytes(spans)
        if spans:
            self.refresh(*(Region(self._left + a, self._top + row, b - a, 1) for row, a, b in spans))

    def say(self, note: str) -> None:
        """Write these lines where a frame would be, while there is none."""
        if note != self._note:
            self._note = note
            if self._keys is None:
                self._strips.clear()
                self.refresh()

    def _count(self) -> None:
        now = self._clock()
        self.frames += 1
        if self._shown_at is not None and now > self._shown_at:
            rate = 1.0 / (now - self._shown_at)
            # Weighted by time, so that the average covers about a second at any rate.
            weight = min(1.0, max(0.05, now - self._shown_at))
            self.fps = rate if self.fps == 0 else 1.0 / ((1 - weight) / self.fps + weight / rate)
        self._shown_at = now

    def _present(self) -> Keys:
        assert self._keys is not None
        return self._keys

    def _keys_shape(self) -> tuple[int, ...]:
        return self._present().shape

    def _fit(self, frame: Frame) -> None:
        columns, rows = self.size.width, self.size.height
        tall, wide = fitted_size(frame.shape[0], frame.shape[1], columns, rows, self.pixel_aspect)
        atari = self.pixel_aspect != 1.0
        self._keys = pair_keys(resize(frame, tall, wide, keep_small=atari), self.bits)
        self._left, self._top = (columns - wide) // 2, (rows - len(self._keys)) // 2

    def _bytes(self, spans: list[tuple[int, int, int]]) -> int:
        total = 0
        for row, first, last in spans:
            total += 8  # moving there
            for length, key in key_runs(self._present()[row, first:last]):
                glyph, _, switch = _pen(key)
                total += switch + length * len(glyph.encode())
        return total

    def on_resize(self, event: events.Resize) -> None:
        """Fit the present frame to the new size."""
        self._strips.clear()
        self._keys = None
        if self._frame is not None and event.size.width > 0 and event.size.height > 0:
            self._fit(self._frame)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._line(y)
        return strip

    def notify_style_update(self) -> None:
        """Take over a new background."""
        self._strips.clear()
        super().notify_style_update()

    def _line(self, y: int) -> Strip:
        width, plain = self.size.width, Style(bgcolor=self.background_colors[1].rich_color)
        row = y - self._top
        if self._keys is None:
            return self._empty_line(y, width, plain)
        if not 0 <= row < len(self._keys):
            return Strip.blank(width, plain)
        segments = [Segment(" " * self._left, plain)] if self._left else []
        for length, key in key_runs(self._keys[row]):
            glyph, style, _ = _pen(key)
            segments.append(Segment(glyph * length, style))
        right = width - self._left - self._keys.shape[1]
        if right > 0:
            segments.append(Segment(" " * right, plain))
        return Strip(segments, width)

    def _empty_line(self, y: int, width: int, plain: Style) -> Strip:
        lines = self._note.split("\n")
        row = y - (self.size.height - len(lines)) // 2
        if not 0 <= row < len(lines):
            return Strip.blank(width, plain)
        background, text = self.background_colors[1], self.colors[3]
        ink = plain + Style(color=background.blend(text, FAINT.strength, 1.0).rich_color)
        return Strip([Segment(lines[row][:width].center(width), ink)], width)
