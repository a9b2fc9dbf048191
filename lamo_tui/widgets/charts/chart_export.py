"""Export of a chart: its numbers as CSV, its picture as SVG or PNG."""

from __future__ import annotations

import csv
import io
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamo_core.errors import UsageError
from lamo_core.files import write_atomically
from lamo_tui.figures.drawing import GRID, MUTED, Point, Sheet, png_bytes, svg_text
from lamo_tui.widgets.charts.chart_picture import ChartPicture
from lamo_tui.widgets.charts.plot_parts import Plot, Shape, on_axis, shapes_of, value_range, x_ticks, y_ticks
from lamo_tui.widgets.charts.raster import FloatArray
from lamo_tui.widgets.charts.scales import format_value
from lamo_tui.widgets.charts.viewport import Window

WIDTH, HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 28, 56, 44
FORMATS = (".csv", ".svg", ".png")


def export_chart(chart: ChartPicture, path: Path) -> None:
    """Write what `chart` shows to `path`; the ending decides the format.

    Raises `UsageError` for another ending or an empty chart, `MissingError` for PNG without pillow, `StorageError`
    when the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"cannot write {path.name}: end the name in .csv, .svg or .png")
    if path.suffix.lower() == ".csv":
        content = csv_text(chart).encode()
    else:
        sheet = draw(chart)
        content = svg_text(sheet).encode() if path.suffix.lower() == ".svg" else png_bytes(sheet)
    write_atomically(path, lambda file: file.write(content), "another file name")


def csv_text(chart: ChartPicture) -> str:
    """Return all points as `series,x,y,raw,low,high`, whatever part is in view; absent values are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["series", chart.x_name, "value", "raw", "low", "high"])
    for series in chart.series:
        columns = [series.raw, series.low, series.high]
        for index in range(min(len(series.x), len(series.y))):
            rest = ["" if part is None or index >= len(part) else float(part[index]) for part in columns]
            writer.writerow([series.name, float(series.x[index]), float(series.y[index]), *rest])
    return out.getvalue()


def draw(chart: ChartPicture) -> Sheet:
    """Return the chart as a sheet; raises `UsageError` when nothing is in view."""
    columns = (WIDTH - _LEFT - _RIGHT) * 2
    plot, window = chart.plot(), chart.window(columns)
    shapes = [] if window is None else shapes_of(plot, window)
    extent = value_range(shapes, plot)
    if window is None or extent is None:
        raise UsageError("nothing to export: the chart has no data in view")
    sheet, page = Sheet(WIDTH, HEIGHT, plot.title), _Page(window, *extent)
    for shape in shapes:
        if shape.band is not None:
            lower, upper = _outline(page, shape.band[0]), _outline(page, shape.band[1])
            outline = _straightened(lower + upper[::-1])
            sheet.area(outline, _lighter(shape.curve.series.colour, 0.75), opacity=0.7)
    _add_axes(sheet, page, plot)
    _add_marks(sheet, page, plot)
    for shape in shapes:
        if shape.raw is not None:
            _add_curve(sheet, page, shape.raw, _lighter(shape.curve.series.colour, 0.6), 1.0)
    for shape in shapes:
        _add_curve(sheet, page, shape.line, shape.curve.series.colour, 1.8)
    _add_legend(sheet, page, plot, shapes)
    return sheet


@dataclass(frozen=True)
class _Page:
    window: Window
    bottom: float
    top: float

    def x(self, place: float) -> float:
        share = (place - self.window.start) / (self.window.end - self.window.start)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (self.top - value) / (self.top - self.bottom)
        return min(HEIGHT - _BOTTOM, max(_TOP, _TOP + share * (HEIGHT - _TOP - _BOTTOM)))


def _lighter(colour: str, share: float) -> str:
    parts = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def _outline(page: _Page, values: FloatArray) -> list[Point]:
    seen = np.flatnonzero(np.isfinite(values))
    return [(_column_x(page, int(column)), page.y(float(values[column]))) for column in seen]


def _column_x(page: _Page, column: int) -> float:
    return page.x(page.window.start + (column + 0.5) * page.window.width)


def _add_curve(sheet: Sheet, page: _Page, envelope: tuple[FloatArray, FloatArray], colour: str, thick: float) -> None:
    """Add a curve as one line through the lowest and highest value of each column, interrupted at gaps."""
    points: list[Point] = []
    for column, (low, high) in enumerate(zip(*envelope, strict=True)):
        if not math.isfinite(low):
            if points:
                sheet.line(_straightened(points) if len(points) > 1 else points * 2, colour, thick)
            points = []
            continue
        x, lower, upper = _column_x(page, column), page.y(float(low)), page.y(float(high))
        nearer = (
            (lower, upper) if not points or abs(points[-1][1] - lower) < abs(points[-1][1] - upper) else (upper, lower)
        )
        points += [(x, nearer[0])] if lower == upper else [(x, nearer[0]), (x, nearer[1])]
    if points:
        sheet.line(_straightened(points) if len(points) > 1 else points * 2, colour, thick)


def _add_axes(sheet: Sheet, page: _Page, plot: Plot) -> None:
    for value, label in y_ticks(plot, page.bottom, page.top, 8):
        height = page.y(value)
        sheet.line([(_LEFT, height), (WIDTH - _RIGHT, height)], GRID, 1.0)
        sheet.word(_LEFT - 8, height + 4, label, MUTED, anchor="end")
    for place, label in x_ticks(plot, page.window, 8):
        sheet.word(page.x(place), HEIGHT - _BOTTOM + 20, label, MUTED, anchor="middle")
    sheet.word(WIDTH / 2, HEIGHT - 8, plot.x_name, MUTED, anchor="middle")
    for reference in plot.references:
        at = on_axis(reference.y, plot.log_y, plot.symmetric)
        if at is not None and page.bottom <= at <= page.top:
            ends = [(float(_LEFT), page.y(at)), (float(WIDTH - _RIGHT), page.y(at))]
            sheet.line(ends, reference.colour, 1.2, dashed=True)
            words = f"{reference.name} {format_value(reference.y)}"
            sheet.word(_LEFT + 6, page.y(at) - 5, words, reference.colour, size=12)


def _add_marks(sheet: Sheet, page: _Page, plot: Plot) -> None:
    """Add the vertical lines, each name a line below the one before, on the side where there is room."""
    bottom, row = float(HEIGHT - _BOTTOM), float(_TOP + 14)
    for mark in plot.marks:
        place = on_axis(mark.x, plot.log_x)
        if place is None or not page.window.start <= place <= page.window.end:
            continue
        at = page.x(place)
        sheet.line([(at, float(_TOP)), (at, bottom)], mark.colour, 1.2, dashed=True)
        words = f"{mark.name} {format_value(mark.x)}"
        left = at + 6 + 7 * len(words) > WIDTH
        sheet.word(at + (-6 if left else 6), row, words, mark.colour, anchor="end" if left else "start", size=12)
        row += 16


def _add_legend(sheet: Sheet, page: _Page, plot: Plot, shapes: list[Shape]) -> None:
    sheet.word(_LEFT, 30, plot.title, size=18)
    right = float(WIDTH - _RIGHT)
    for shape in reversed(shapes):
        series = shape.curve.series
        label = f"{series.marker}  {series.name}"
        sheet.word(right, 30, label, series.colour, anchor="end", size=14)
        right -= 8.5 * len(label) + 18
        seen = np.flatnonzero(np.isfinite(shape.line[0]))
        if len(seen) and len(shapes) > 1:
            last = int(seen[-1])
            x, y = _column_x(page, last) + 5, page.y(float(shape.line[1][last])) + 4
            sheet.word(x, y, series.marker, series.colour)


def _straightened(points: list[Point]) -> list[Point]:
    """Return the points without those that lie on the straight line between their neighbours."""
    kept = points[:1]
    for here, after in itertools.pairwise(points[1:]):
        before = kept[-1]
        area = (here[0] - before[0]) * (after[1] - before[1]) - (here[1] - before[1]) * (after[0] - before[0])
        # Twice the triangle's area over its base is the distance from the line.
        if abs(area) > 0.05 * max(1e-6, math.hypot(after[0] - before[0], after[1] - before[1])):
            kept.append(here)
    return kept + points[1:][-1:]
