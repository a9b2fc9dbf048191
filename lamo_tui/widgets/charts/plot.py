"""The picture of a chart: title, legend or read-outs, axes, curves, bands and reference lines, as cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from textual.color import Color

from lamo_tui.widgets.cells import FAINT, FOCUS, GRID, MUTED, STRONG, Cells, Paint
from lamo_tui.widgets.charts.legend import draw_head, draw_letters, draw_reference_labels
from lamo_tui.widgets.charts.plot_parts import (
    Layout,
    Plot,
    Shape,
    lay_out,
    on_axis,
    row_of,
    shapes_of,
    value_range,
    x_ticks,
    y_ticks,
)
from lamo_tui.widgets.charts.raster import DOTS, FloatArray, MarkerMode, fill, pack, thin
from lamo_tui.widgets.charts.scales import format_value
from lamo_tui.widgets.charts.series import Reference
from lamo_tui.widgets.charts.viewport import Window

_BAND_STRENGTH = 0.24
_RAW_STRENGTH = 0.38


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
    _draw_marks(cells, plot, layout, window)
    _draw_cursor(cells, plot, layout, window)
    for shape in shapes:
        if shape.raw is not None:
            ink = Paint(shape.curve.series.colour, _RAW_STRENGTH)
            _draw_lines(cells, plot.mode, layout, [(shape.raw, ink, ".")], bottom, top)
    lines = [(shape.line, Paint(shape.curve.series.colour), shape.curve.series.marker.lower()) for shape in shapes]
    _draw_lines(cells, plot.mode, layout, lines, bottom, top)
    _draw_lone_points(cells, plot, layout, shapes, bottom, top)
    draw_reference_labels(cells, layout.row, layout.column, layout.width, _reference_rows(plot, layout, bottom, top))
    _name_marks(cells, plot, layout, window)
    if len(shapes) > 1:
        draw_letters(cells, layout.row, layout.column, layout.height, _line_ends(shapes, plot, layout, bottom, top))
    if layout.title_row >= 0:
        _draw_title(cells, plot, plot.cursor)
    return cells


def _draw_nothing(cells: Cells, plot: Plot, layout: Layout) -> None:
    recorded = any(np.isfinite(curve.y).any() for curve in plot.curves)
    note = plot.note or ("nothing in view" if recorded else "no data yet")
    middle = layout.row + layout.height // 2
    cells.write(middle, max(0, (cells.width - len(note)) // 2), note, FAINT)
    if layout.title_row >= 0:
        _draw_title(cells, plot, None)


def _draw_title(cells: Cells, plot: Plot, cursor: float | None) -> None:
    ink = FOCUS if plot.focused else STRONG
    draw_head(cells, plot.title, ink, [curve.series for curve in plot.curves], cursor, plot.x_name, plot.x_kind)


def _draw_y_axis(cells: Cells, plot: Plot, layout: Layout, bottom: float, top: float) -> None:
    dots = "┄" if plot.mode != "ascii" else "."
    taken = set()
    for place, label in y_ticks(plot, bottom, top, max(1, min(8, layout.height // 2))):
        row = row_of(place, layout, bottom, top)
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
        value = on_axis(reference.y, plot.log_y, plot.symmetric)
        if value is not None:
            row = row_of(value, layout, bottom, top) if bottom <= value <= top else (-1 if value > top else 10**6)
            rows.append((reference, min(layout.height - 1, max(0, row)), bottom <= value <= top))
    return rows


def _draw_references(cells: Cells, plot: Plot, layout: Layout, bottom: float, top: float) -> None:
    dash = "╌" if plot.mode != "ascii" else "-"
    for reference, row, in_view in _reference_rows(plot, layout, bottom, top):
        if in_view:
            cells.write(layout.row + row, layout.column, dash * layout.width, Paint(reference.colour, 0.75))


def _column_of(x: float, plot: Plot, layout: Layout, window: Window) -> int | None:
    """Return the column of a place on the x axis, in data units; None where it is not in view."""
    place = on_axis(x, plot.log_x)
    if place is None or not window.start <= place <= window.end:
        return None
    return min(layout.width - 1, math.floor((place - window.start) / (window.end - window.start) * layout.width))


def _draw_marks(cells: Cells, plot: Plot, layout: Layout, window: Window) -> None:
    bar = "┊" if plot.mode != "ascii" else "|"
    for mark in plot.marks:
        column = _column_of(mark.x, plot, layout, window)
        for row in range(layout.height if column is not None else 0):
            cells.write(layout.row + row, layout.column + (column or 0), bar, Paint(mark.colour, 0.75))


def _name_marks(cells: Cells, plot: Plot, layout: Layout, window: Window) -> None:
    """Write the name of each vertical line beside it, on a row of its own from the bottom."""
    for number, mark in enumerate(plot.marks[: layout.height // 2]):
        column, text = _column_of(mark.x, plot, layout, window), f" {mark.name} {format_value(mark.x)} "
        if column is None:
            continue
        left = column + 1 if column + 1 + len(text) <= layout.width else column - len(text)
        if left >= 0:
            cells.write(layout.row + layout.height - 1 - number, layout.column + left, text, Paint(mark.colour))


def _draw_cursor(cells: Cells, plot: Plot, layout: Layout, window: Window) -> None:
    column = None if plot.cursor is None else _column_of(plot.cursor, plot, layout, window)
    if column is None:
        return
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


def _draw_lone_points(
    cells: Cells, plot: Plot, layout: Layout, shapes: Sequence[Shape], bottom: float, top: float
) -> None:
    """Draw the only point of a curve larger than one dot, which nobody would see."""
    for row, column, shape in _last_cells(shapes, plot, layout, bottom, top):
        if np.isfinite(shape.line[0]).sum() == 1 and plot.mode != "ascii":
            cells.write(layout.row + row, layout.column + column, "●", Paint(shape.curve.series.colour))


def _last_cells(
    shapes: Sequence[Shape], plot: Plot, layout: Layout, bottom: float, top: float
) -> Iterator[tuple[int, int, Shape]]:
    """Yield row and column of each line's last visible point."""
    for shape in shapes:
        seen = np.flatnonzero(np.isfinite(shape.line[0]))
        if len(seen):
            row = min(layout.height - 1, max(0, row_of(_last_value(shape), layout, bottom, top)))
            yield row, min(layout.width - 1, int(seen[-1]) // DOTS[plot.mode][1]), shape


def _last_value(shape: Shape) -> float:
    """Return the middle of a line at its last visible point, in axis units; -inf where none is."""
    seen = np.flatnonzero(np.isfinite(shape.line[0]))
    return float(shape.line[0][seen[-1]] + shape.line[1][seen[-1]]) / 2 if len(seen) else -math.inf


def _line_ends(
    shapes: Sequence[Shape], plot: Plot, layout: Layout, bottom: float, top: float
) -> list[tuple[int, int, str, Paint]]:
    """Return the cell after each line's last visible point, the highest first, with the letter that goes there."""
    ends = []
    for row, column, shape in _last_cells(sorted(shapes, key=_last_value, reverse=True), plot, layout, bottom, top):
        series = shape.curve.series
        ends.append((row, min(layout.width - 1, column + 1), series.marker, Paint(series.colour, bold=True)))
    return ends
