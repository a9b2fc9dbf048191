"""A chart as a file: its numbers as CSV, its picture as SVG (drawn here) or PNG (with pillow)."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from lamo_core.errors import MissingError, UsageError
from lamo_core.files import write_atomically
from lamo_core.plain_text import without_obeyed
from lamo_tui.csv_text import csv_text as table_text
from lamo_tui.widgets.charts.chart_picture import ChartPicture
from lamo_tui.widgets.charts.plot_parts import Plot, Shape, on_axis, shapes_of, value_range, x_ticks, y_ticks
from lamo_tui.widgets.charts.raster import FloatArray
from lamo_tui.widgets.charts.scales import format_value
from lamo_tui.widgets.charts.viewport import Window

WIDTH, HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 28, 56, 44
_INK, _MUTED, _GRID, _PAPER = "#1c1c1c", "#6b6b6b", "#e4e4e4", "#ffffff"
Point = tuple[float, float]
"""In pixels from the upper left corner."""
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
        drawing = draw(chart)
        content = svg_text(drawing).encode() if path.suffix.lower() == ".svg" else png_bytes(drawing)
    write_atomically(path, lambda file: file.write(content), "another file name")


def csv_text(chart: ChartPicture) -> str:
    """Return all points as `series,x,y,raw,low,high`, whatever part is in view; absent values are empty."""
    rows: list[list[object]] = []
    for series in chart.series:
        columns = [series.raw, series.low, series.high]
        for index in range(min(len(series.x), len(series.y))):
            rest = [None if part is None or index >= len(part) else float(part[index]) for part in columns]
            rows.append([series.name, float(series.x[index]), float(series.y[index]), *rest])
    return table_text(["series", chart.x_name, "value", "raw", "low", "high"], rows)


@dataclass(frozen=True)
class Drawing:
    """Lines, areas and words in pixels from the upper left corner of a picture of `WIDTH` x `HEIGHT`."""

    lines: list[tuple[list[tuple[float, float]], str, float, bool]]
    """Points, colour, thickness and whether dashed."""
    areas: list[tuple[list[tuple[float, float]], str]]
    words: list[tuple[float, float, str, str, str, int]]
    """Place of the base line, words, colour, anchor (start, middle, end), and size."""


def draw(chart: ChartPicture) -> Drawing:
    """Return the chart as a drawing; raises `UsageError` when nothing is in view."""
    columns = (WIDTH - _LEFT - _RIGHT) * 2
    plot, window = chart.plot(), chart.window(columns)
    shapes = [] if window is None else shapes_of(plot, window)
    extent = value_range(shapes, plot)
    if window is None or extent is None:
        raise UsageError("nothing to export: the chart has no data in view")
    drawing = Drawing([], [], [])
    page = _Page(window, *extent)
    _add_axes(drawing, page, plot)
    _add_marks(drawing, page, plot)
    for shape in shapes:
        if shape.band is not None:
            lower, upper = _outline(page, shape.band[0]), _outline(page, shape.band[1])
            drawing.areas.append((lower + upper[::-1], _lighter(shape.curve.series.colour, 0.75)))
    for shape in shapes:
        if shape.raw is not None:
            _add_curve(drawing, page, shape.raw, _lighter(shape.curve.series.colour, 0.6), 1.0)
    for shape in shapes:
        _add_curve(drawing, page, shape.line, shape.curve.series.colour, 1.8)
    _add_legend(drawing, page, plot, shapes)
    return drawing


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


def _outline(page: _Page, values: FloatArray) -> list[tuple[float, float]]:
    seen = np.flatnonzero(np.isfinite(values))
    return [(_column_x(page, int(column)), page.y(float(values[column]))) for column in seen]


def _column_x(page: _Page, column: int) -> float:
    return page.x(page.window.start + (column + 0.5) * page.window.width)


def _add_curve(
    drawing: Drawing, page: _Page, envelope: tuple[FloatArray, FloatArray], colour: str, thick: float
) -> None:
    """Add a curve as one line through the lowest and highest value of each column, interrupted at gaps."""
    points: list[tuple[float, float]] = []
    for column, (low, high) in enumerate(zip(*envelope, strict=True)):
        if not math.isfinite(low):
            if points:
                drawing.lines.append((points, colour, thick, False))
            points = []
            continue
        x, lower, upper = _column_x(page, column), page.y(float(low)), page.y(float(high))
        nearer = (
            (lower, upper) if not points or abs(points[-1][1] - lower) < abs(points[-1][1] - upper) else (upper, lower)
        )
        points += [(x, nearer[0])] if lower == upper else [(x, nearer[0]), (x, nearer[1])]
    if points:
        drawing.lines.append((points, colour, thick, False))


def _add_axes(drawing: Drawing, page: _Page, plot: Plot) -> None:
    for value, label in y_ticks(plot, page.bottom, page.top, 8):
        height = page.y(value)
        drawing.lines.append(([(_LEFT, height), (WIDTH - _RIGHT, height)], _GRID, 1.0, False))
        drawing.words.append((_LEFT - 8, height + 4, label, _MUTED, "end", 13))
    for place, label in x_ticks(plot, page.window, 8):
        drawing.words.append((page.x(place), HEIGHT - _BOTTOM + 20, label, _MUTED, "middle", 13))
    drawing.words.append((WIDTH / 2, HEIGHT - 8, plot.x_name, _MUTED, "middle", 13))
    for reference in plot.references:
        at = on_axis(reference.y, plot.log_y, plot.symmetric)
        if at is not None and page.bottom <= at <= page.top:
            ends = [(float(_LEFT), page.y(at)), (float(WIDTH - _RIGHT), page.y(at))]
            drawing.lines.append((ends, reference.colour, 1.2, True))
            words = f"{reference.name} {format_value(reference.y)}"
            drawing.words.append((_LEFT + 6, page.y(at) - 5, words, reference.colour, "start", 12))


def _add_marks(drawing: Drawing, page: _Page, plot: Plot) -> None:
    """Add the vertical lines, each name a line below the one before, on the side where there is room."""
    bottom, row = float(HEIGHT - _BOTTOM), float(_TOP + 14)
    for mark in plot.marks:
        place = on_axis(mark.x, plot.log_x)
        if place is None or not page.window.start <= place <= page.window.end:
            continue
        at = page.x(place)
        drawing.lines.append(([(at, float(_TOP)), (at, bottom)], mark.colour, 1.2, True))
        words = f"{mark.name} {format_value(mark.x)}"
        left = at + 6 + 7 * len(words) > WIDTH
        drawing.words.append((at + (-6 if left else 6), row, words, mark.colour, "end" if left else "start", 12))
        row += 16


def _add_legend(drawing: Drawing, page: _Page, plot: Plot, shapes: list[Shape]) -> None:
    drawing.words.append((_LEFT, 30, plot.title, _INK, "start", 18))
    right = float(WIDTH - _RIGHT)
    for shape in reversed(shapes):
        series = shape.curve.series
        label = f"{series.marker}  {series.name}"
        drawing.words.append((right, 30, label, series.colour, "end", 14))
        right -= 8.5 * len(label) + 18
        seen = np.flatnonzero(np.isfinite(shape.line[0]))
        if len(seen) and len(shapes) > 1:
            last = int(seen[-1])
            drawing.words.append(
                (
                    _column_x(page, last) + 5,
                    page.y(float(shape.line[1][last])) + 4,
                    series.marker,
                    series.colour,
                    "start",
                    13,
                )
            )


def svg_text(drawing: Drawing) -> str:
    """Return a drawing as SVG."""

    def parts() -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="ui-sans-serif, Helvetica, Arial, sans-serif">'
        )
        yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{_PAPER}"/>'
        for points, colour in drawing.areas:
            yield f'<polygon points="{_joined(points)}" fill="{colour}" fill-opacity="0.7"/>'
        for points, colour, thick, dashed in drawing.lines:
            dash = ' stroke-dasharray="5 4"' if dashed else ""
            yield (
                f'<polyline points="{_joined(points)}" fill="none" stroke="{colour}" stroke-width="{thick}" '
                f'stroke-linejoin="round" stroke-linecap="round"{dash}/>'
            )
        for x, y, text, colour, anchor, size in drawing.words:
            shown = escape(_drawable(text))
            place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            yield f'<text {place} fill="{colour}" font-size="{size}">{shown}</text>'
        yield "</svg>\n"

    return "\n".join(parts())


def _drawable(text: str) -> str:
    """Return text without letters that nobody sees or that no picture format takes."""
    return without_obeyed(text, lambda letter: "")


def _joined(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in _straightened(points))


def _straightened(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points without those that lie on the straight line between their neighbours."""
    kept = points[:1]
    for here, after in itertools.pairwise(points[1:]):
        before = kept[-1]
        area = (here[0] - before[0]) * (after[1] - before[1]) - (here[1] - before[1]) * (after[0] - before[0])
        # Twice the triangle's area over its base is the distance from the line.
        if abs(area) > 0.05 * max(1e-6, math.hypot(after[0] - before[0], after[1] - before[1])):
            kept.append(here)
    return kept + points[1:][-1:]


def _dashes(start: Point, end: Point, scale: float) -> Iterator[list[Point]]:
    """Yield the dashes of a straight line: 5 pixels each, with 4 between them, as the SVG has."""
    length = math.dist(start, end)
    for at in np.arange(0, length, 9 * scale):
        ends = (at / length, min(1.0, (at + 5 * scale) / length))
        yield [(start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])) for share in ends]


def png_bytes(drawing: Drawing) -> bytes:
    """Return a drawing as PNG at twice the size; raises `MissingError` without pillow."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingError("PNG needs pillow: pip install 'lamo[video]', or end the file's name in .svg") from error
    scale = 2
    image = Image.new("RGB", (WIDTH * scale, HEIGHT * scale), _PAPER)
    pen = ImageDraw.Draw(image)
    for points, colour in drawing.areas:
        if len(points) > 2:
            pen.polygon([(x * scale, y * scale) for x, y in points], fill=colour)
    for points, colour, thick, dashed in drawing.lines:
        scaled = [(x * scale, y * scale) for x, y in points]
        whole = scaled * (2 if len(scaled) == 1 else 1)
        for part in _dashes(scaled[0], scaled[-1], scale) if dashed else [whole]:
            pen.line(part, fill=colour, width=round(thick * scale), joint="curve")
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for x, y, text, colour, anchor, size in drawing.words:
        font = ImageFont.load_default(size * scale)
        pen.text((x * scale, y * scale), _drawable(text), fill=colour, font=font, anchor=anchors[anchor])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
