"""What a chart's picture is made of: settings, layout, the curves in its columns, ends and ticks of its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lamo_tui.widgets.charts.raster import DOTS, FloatArray, MarkerMode, envelope
from lamo_tui.widgets.charts.scales import (
    clock_ticks,
    format_duration,
    format_ticks,
    format_value,
    linear_ticks,
    log_ticks,
    nice_step,
    symlog_ticks,
)
from lamo_tui.widgets.charts.series import Curve, Mark, Reference
from lamo_tui.widgets.charts.viewport import Window

XKind = Literal["count", "seconds"]


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
    symmetric: bool = False
    """Whether a logarithmic y axis goes on below 0."""
    marks: Sequence[Mark] = ()


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


_LAST_BIT = 1e-9


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
    for value in (on_axis(reference.y, plot.log_y, plot.symmetric) for reference in plot.references):
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


def on_axis(value: float, log: bool, symmetric: bool = False) -> float | None:
    """Return a value in axis units; None if it has no place there."""
    if log and symmetric and math.isfinite(value):
        return math.copysign(math.log10(1 + abs(value)), value)
    if not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log10(value) if log else max(-1e150, min(1e150, value))


def y_ticks(plot: Plot, bottom: float, top: float, count: int) -> list[tuple[float, str]]:
    """Return places on the y axis, in axis units, with their labels."""
    if not plot.log_y:
        values = linear_ticks(bottom, top, count)
        return list(zip(values, format_ticks(values), strict=True))
    if plot.symmetric:
        places = [(on_axis(value, True, True), value) for value in symlog_ticks(bottom, top, count)]
        return [(place, format_value(value)) for place, value in places if place is not None]
    return [(math.log10(value), format_value(value)) for value in log_ticks(bottom, top, count) if value > 0]


def x_ticks(plot: Plot, window: Window, count: int) -> list[tuple[float, str]]:
    """Return places on the x axis, in axis units, with their labels."""
    start, end = window.start, window.end
    if plot.log_x:
        written = format_duration if plot.x_kind == "seconds" else format_value
        return [(math.log10(value), written(value)) for value in log_ticks(start, end, count) if value > 0]
    if plot.x_kind == "seconds":
        return [(value, format_duration(value)) for value in clock_ticks(start, end, count)]
    values = linear_ticks(start, end, count)
    return list(zip(values, format_ticks(values), strict=True))


def row_of(value: float, layout: Layout, bottom: float, top: float) -> int:
    """Return the row within the plot area, outside of it for a value out of range."""
    # a value on the edge between two rows must not go up or down by its last bit, as equal steps would look unequal
    place = (top - value) / (top - bottom) * layout.height
    return layout.height - 1 if abs(place - layout.height) < _LAST_BIT else math.floor(place + _LAST_BIT)
