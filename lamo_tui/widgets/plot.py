"""The picture of a chart: title, legend or read-outs, axes, curves, bands and reference lines, as cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from textual.color import Color

from lamo_tui.widgets.cells import ACCENT, FAINT, GRID, MUTED, STRONG, Cells, Paint
from lamo_tui.widgets.legend import draw_head, draw_letters, draw_reference_labels
from lamo_tui.widgets.raster import DOTS, FloatArray, MarkerMode, envelope, fill, pack, thin
from lamo_tui.widgets.scales import (
    clock_ticks,
    format_duration,
    format_ticks,
    format_value,
    linear_ticks,
    log_ticks,
    nice_step,
)
from lamo_tui.widgets.series import Curve, Reference
from lamo_tui.widgets.viewport import Window

XKind = Literal["count", "seconds"]
_BAND_STRENGTH = 0.24
_RAW_STRENGTH = 0.38


@dataclass(frozen=True)
class Plot:
    """All that a picture depends on besides its size. `window` and the curves are in axis units (logarithms)."""

    title: str
    curves: Sequence[Curve]
    references: Sequence[Reference]
    log_x: bool
    log_y: bool
    mode: MarkerMode
    x_kind: XKind = "count"
    x_name: str = "step"
    cursor: float | None = None
    note: str = ""
    focused: bool = False


@dataclass(frozen=True)
class Layout:
    """Where the parts of a chart are: the plot area's corner and size in cells; rows of -1 are left out."""

    row: int
    column: int
    width: int
    height: int
    title_row: int
    axis_row: int


@dataclass(frozen=True)
class Shape:
    """One curve in the columns of the picture: its envelope, and those of what is behind it."""

    curve: Curve
    line: tuple[FloatArray, FloatArray]
    raw: tuple[FloatArray, FloatArray] | None
    band: tuple[FloatArray, FloatArray] | None


def lay_out(width: int, height: int) -> Layout:
    """Give up the axis, then the title, then the labels when a chart becomes small."""
    title = 1 if height >= 4 else 0
    axis = 1 if height >= 6 and width >= 16 else 0
    gutter = 7 if width >= 24 else 0
    return Layout(
        title, gutter, max(1, width - gutter), height - title - axis, 0 if title else -1, height - 1 if axis else -1
    )


def draw_plot(plot: Plot, window: Window | None, width: int, height: int) -> Cells:
    """Return the picture at a size of at least 1 x 1; `window` has as many columns as `columns_of` says."""
    cells = Cells(width, height)
    layout = lay_out(width, height)
    shapes = [] if window is None else shapes_of(plot, window)
    extent = value_range(shapes, plot)
    if window is None or extent is None:
        _draw_nothing(cells, plot, layout)
        return cells
    bottom, top = extent
    _draw_y_axis(cells, plot, layout, bottom, top)
    _draw_x_axis(cells, plot, layout, window)
    _draw_bands(cells, plot, layout, shapes, bottom, top)
    _draw_references(cells, plot, layout, bottom, top)
    _draw_cursor(cells, plot, layout, window)
    for shape in shapes:
        if shape.raw is not None:
            ink = Paint(shape.curve.series.colour, _RAW_STRENGTH)
            _draw_lines(cells, plot.mode, layout, [(shape.raw, ink, ".")], bottom, top)
    lines = [(shape.line, Paint(shape.curve.series.colour), shape.curve.series.marker.lower()) for shape in shapes]
    _draw_lines(cells, plot.mode, layout, lines, bottom, top)
    draw_reference_labels(cells, layout.row, layout.column, layout.width, _reference_rows(plot, layout, bottom, top))
    if len(shapes) > 1:
        draw_letters(cells, layout.row, layout.column, _line_ends(shapes, plot, layout, bottom, top))
    if layout.title_row >= 0:
        _draw_title(cells, plot, plot.cursor)
    return cells


def columns_of(width: int, height: int, mode: MarkerMode) -> int:
    """Return how many columns of dots a picture of this size has."""
    return lay_out(width, height).width * DOTS[mode][1]


def shapes_of(plot: Plot, window: Window) -> list[Shape]:
    """Return the curves of a plot in the columns of a window."""
    return [_shape(curve, window) for curve in plot.curves]


def _shape(curve: Curve, window: Window) -> Shape:
    def seen(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return envelope(curve.x, values, window.start, window.width, window.columns)

    raw = None if curve.raw is None else seen(curve.raw)
    band = None
    if curve.low is not None and curve.high is not None:
        band = (seen(curve.low)[0], seen(curve.high)[1])
    return Shape(curve, seen(curve.y), raw, band)


def value_range(shapes: Sequence[Shape], plot: Plot) -> tuple[float, float] | None:
    """Return the ends of the y axis in axis units, or None when no value is in view.

    Lines and bands fit whole; of the raw values behind, the outermost two per cent may be cut off; a reference is
    taken in unless it would press the curves into less than a third of the height.
    """
    ends: list[float] = []
    for shape in shapes:
        for pair in (shape.line, shape.band):
            for values in pair or ():
                if np.isfinite(values).any():
                    ends += [float(np.nanmin(values)), float(np.nanmax(values))]
        if shape.raw is not None and np.isfinite(shape.raw[0]).any():
            ends += [float(np.nanpercentile(shape.raw[0], 2)), float(np.nanpercentile(shape.raw[1], 98))]
    ends = [end for end in ends if math.isfinite(end)]
    if not ends:
        return None
    low, high = _widened(min(ends), max(ends))
    reach = 3 * (high - low)
    for value in (_on_axis(reference.y, plot.log_y) for reference in plot.references):
        if value is not None and max(high, value) - min(low, value) <= reach:
            low, high = min(low, value), max(high, value)
    # Ends at round values keep still while the data move a little.
    step = nice_step(high - low, 24)
    return math.floor(low / step - 0.3) * step, math.ceil(high / step + 0.3) * step


def _widened(low: float, high: float) -> tuple[float, float]:
    size = max(abs(low), abs(high))
    if high - low > max(size * 1e-9, 1e-200):
        return low, high
    half = size * 0.1 if size > 1e-150 else 1.0
    return low - half, high + half


def _on_axis(value: float, log: bool) -> float | None:
    if not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log10(value) if log else max(-1e150, min(1e150, value))


def _draw_nothing(cells: Cells, plot: Plot, layout: Layout) -> None:
    note = plot.note or "no data yet"
    middle = layout.row + layout.height // 2
    cells.write(middle, max(0, (cells.width - len(note)) // 2), note, FAINT)
    if layout.title_row >= 0:
        _draw_title(cells, plot, None)


def _draw_title(cells: Cells, plot: Plot, cursor: float | None) -> None:
    ink = ACCENT if plot.focused else STRONG
    draw_head(cells, plot.title, ink, [curve.series for curve in plot.curves], cursor, plot.x_name, plot.x_kind)


def y_ticks(plot: Plot, bottom: float, top: float, count: int) -> list[tuple[float, str]]:
    """Return places on the y axis, in axis units, with their labels."""
    if not plot.log_y:
        values = linear_ticks(bottom, top, count)
        return list(zip(values, format_ticks(values), strict=True))
    return [(math.log10(value), format_value(value)) for value in log_ticks(bottom, top, count) if value > 0]


def x_ticks(plot: Plot, window: Window, count: int) -> list[tuple[float, str]]:
    """Return places on the x axis, in axis units, with their labels."""
    start, end = window.start, window.end
    if plot.log_x:
        return [(math.log10(value), format_value(value)) for value in log_ticks(start, end, count) if value > 0]
    if plot.x_kind == "seconds":
        return [(value, format_duration(value)) for value in clock_ticks(start, end, count)]
    values = linear_ticks(start, end, count)
    return list(zip(values, format_ticks(values), strict=True))


def _draw_y_axis(cells: Cells, plot: Plot, layout: Layout, bottom: float, top: float) -> None:
    dots = "┄" if plot.mode != "ascii" else "."
    taken = set()
    for place, label in y_ticks(plot, bottom, top, max(1, min(8, layout.height // 2))):
        row = _row_of(place, layout, bottom, top)
        if not 0 <= row < layout.height or row in taken:
            continue
        taken.add(row)
        if layout.column:
            text = label[: layout.column - 1]
            cells.write(layout.row + row, layout.column - 1 - len(text), text, MUTED)
        if layout.height >= 4:
            cells.write(layout.row + row, layout.column, dots * layout.width, GRID)


def _draw_x_axis(cells: Cells, plot: Plot, layout: Layout, window: Window) -> None:
    if layout.axis_row < 0:
        return
    start, end = window.start, window.end
    free_from = 0
    count = layout.width // 9 if plot.log_x else layout.width // 12
    for place, label in x_ticks(plot, window, max(1, count)):
        column = layout.column + math.floor((place - start) / (end - start) * layout.width)
        left = min(cells.width - len(label), max(layout.column, column - len(label) // 2))
        if left >= free_from and column < cells.width:
            free_from = cells.write(layout.axis_row, left, label, MUTED) + 2
    room = layout.column - 1
    if len(plot.x_name) <= room:
        cells.write(layout.axis_row, room - len(plot.x_name), plot.x_name, FAINT)


def _row_of(value: float, layout: Layout, bottom: float, top: float) -> int:
    """Return the row within the plot area, outside of it for a value out of range."""
    return math.floor((top - value) / (top - bottom) * layout.height - (1e-9 if value <= bottom else 0.0))


def _draw_bands(cells: Cells, plot: Plot, layout: Layout, shapes: Sequence[Shape], bottom: float, top: float) -> None:
    """Shade the bands; where one lies over another, the cell gets the colour between the two."""
    below: list[tuple[NDArray[np.bool_], str]] = []
    for shape in shapes:
        if shape.band is None:
            continue
        colour = shape.curve.series.colour
        mask = _band_cells(shape.band, layout, bottom, top)
        cells.shade(layout.row, layout.column, mask, Paint(colour, _BAND_STRENGTH))
        for other, other_colour in below:
            between = Paint(Color.parse(colour).blend(Color.parse(other_colour), 0.5).hex, 1.3 * _BAND_STRENGTH)
            cells.shade(layout.row, layout.column, mask & other, between)
        below.append((mask, colour))
        if plot.mode == "ascii":
            glyphs = np.where(mask, np.uint32(ord(":")), np.uint32(0)).astype(np.uint32)
            cells.draw(layout.row, layout.column, glyphs, Paint(colour, 0.6))


def _band_cells(band: tuple[FloatArray, FloatArray], layout: Layout, bottom: float, top: float) -> NDArray[np.bool_]:
    """Return the cells (height, width) that a band covers by half, and of a thin one those it lies in."""
    low = np.fmin.reduce(band[0].reshape(layout.width, -1), 1)
    high = np.fmax.reduce(band[1].reshape(layout.width, -1), 1)
    scale = layout.height / (top - bottom)
    with np.errstate(all="ignore"):
        upper, lower = (top - high) * scale, (top - low) * scale
        row = np.arange(layout.height)[:, None]
        covered = np.minimum(lower, row + 1) - np.maximum(upper, row)
        return np.asarray((covered > 0) & (covered >= np.minimum(0.5, (lower - upper) / 2)))


def _reference_rows(plot: Plot, layout: Layout, bottom: float, top: float) -> list[tuple[Reference, int, bool]]:
    """Return each reference with its row, and whether it is in view; others get the nearest edge."""
    rows = []
    for reference in plot.references:
        value = _on_axis(reference.y, plot.log_y)
        if value is not None:
            row = _row_of(value, layout, bottom, top) if bottom <= value <= top else (-1 if value > top else 10**6)
            rows.append((reference, min(layout.height - 1, max(0, row)), bottom <= value <= top))
    return rows


def _draw_references(cells: Cells, plot: Plot, layout: Layout, bottom: float, top: float) -> None:
    dash = "╌" if plot.mode != "ascii" else "-"
    for reference, row, in_view in _reference_rows(plot, layout, bottom, top):
        if in_view:
            cells.write(layout.row + row, layout.column, dash * layout.width, Paint(reference.colour, 0.75))


def _draw_cursor(cells: Cells, plot: Plot, layout: Layout, window: Window) -> None:
    place = None if plot.cursor is None else _on_axis(plot.cursor, plot.log_x)
    if place is None or not window.start <= place <= window.end:
        return
    column = min(layout.width - 1, math.floor((place - window.start) / (window.end - window.start) * layout.width))
    bar = "│" if plot.mode != "ascii" else "|"
    for row in range(layout.height):
        cells.write(layout.row + row, layout.column + column, bar, FAINT, Paint("text", 0.1))


def _draw_lines(
    cells: Cells,
    mode: MarkerMode,
    layout: Layout,
    lines: Sequence[tuple[tuple[FloatArray, FloatArray], Paint, str]],
    bottom: float,
    top: float,
) -> None:
    """Draw curves of one layer: where two meet, the cell shows the dots of both in the colour of the later."""
    rows = layout.height * DOTS[mode][0]
    together: NDArray[np.bool_] | None = None
    for (low, high), ink, letter in lines:
        dots = thin(fill(low, high, bottom, top, rows))
        together = dots if together is None else together | dots
        own, shared = pack(dots, mode, letter), pack(together, mode, letter)
        cells.draw(layout.row, layout.column, np.where(own > 0, shared, np.uint32(0)).astype(np.uint32), ink)


def _line_ends(
    shapes: Sequence[Shape], plot: Plot, layout: Layout, bottom: float, top: float
) -> list[tuple[int, int, str, Paint]]:
    """Return the cell after each line's last visible point, with the letter that goes there."""
    ends = []
    per_cell = DOTS[plot.mode][1]
    for shape in shapes:
        seen = np.flatnonzero(np.isfinite(shape.line[0]))
        if len(seen):
            value = float(shape.line[0][seen[-1]] + shape.line[1][seen[-1]]) / 2
            row = min(layout.height - 1, max(0, _row_of(value, layout, bottom, top)))
            column = min(layout.width - 1, int(seen[-1]) // per_cell + 1)
            series = shape.curve.series
            ends.append((row, column, series.marker, Paint(series.colour, bold=True)))
    return ends
