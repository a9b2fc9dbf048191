"""A panel of a figure: two straight or logarithmic axes in a rectangle of the sheet, and curves on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lamo_tui.figures.drawing import GRID, INK, MARKS, MUTED, Mark, Point, Sheet
from lamo_tui.widgets.charts.scales import format_ticks, linear_ticks
from lamo_tui.widgets.palette import LIGHT


@dataclass(frozen=True)
class Pen:
    """How one series is told from the others: colour and marker always go together."""

    colour: str
    mark: Mark


def pens(names: Sequence[str]) -> dict[str, Pen]:
    """Return a pen for each name, in the order of the names."""
    return {name: Pen(LIGHT[i % len(LIGHT)], MARKS[i % len(MARKS)]) for i, name in enumerate(names)}


@dataclass(frozen=True)
class Axis:
    """One axis: what it spans, its ticks and its name."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    name: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        low, high, at = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.5


def value_axis(values: Sequence[float], name: str = "", count: int = 5, zero: bool = False) -> Axis:
    """Return a straight axis around finite values, with some room; `zero` keeps 0 in view."""
    finite = [value for value in values if math.isfinite(value)] + ([0.0] if zero else [])
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    room = 0.06 * (high - low) or max(0.5, 0.1 * abs(high))
    low, high = low - (0 if zero and low == 0 else room), high + room
    ticks = linear_ticks(low, high, count)
    return Axis(low, high, tuple(zip(ticks, format_ticks(ticks), strict=True)), name)


def share_axis(ratios: Sequence[float], name: str = "share of the data") -> Axis:
    """Return a logarithmic axis with a tick at each share of data."""
    found = sorted(set(ratios))
    margin = (found[-1] / found[0]) ** 0.07 if len(found) > 1 else 1.5
    ticks = tuple((ratio, f"{100 * ratio:g}%") for ratio in found)
    return Axis(found[0] / margin, found[-1] * margin, ticks, name, log=True)


@dataclass(frozen=True)
class Panel:
    """A rectangle of a sheet with axes."""

    sheet: Sheet
    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> Point:
        """Return where a point lies on the sheet."""
        return self.left + self.width * self.x.share(x), self.top + self.height * (1 - self.y.share(y))

    def draw_axes(self, title: str = "") -> None:
        """Draw grid, ticks, names and title."""
        bottom, right = self.top + self.height, self.left + self.width
        for value, label in self.y.ticks:
            _, height = self.at(self.x.low, value)
            self.sheet.line([(self.left, height), (right, height)], GRID, 1)
            self.sheet.word(self.left - 7, height + 4, label, MUTED, anchor="end", size=12)
        for value, label in self.x.ticks:
            place, _ = self.at(value, self.y.low)
            self.sheet.line([(place, bottom), (place, bottom + 4)], MUTED, 1)
            self.sheet.word(place, bottom + 18, label, MUTED, anchor="middle", size=12)
        self.sheet.line([(self.left, bottom), (right, bottom)], MUTED, 1)
        if self.x.name:
            self.sheet.word(self.left + self.width / 2, bottom + 36, self.x.name, MUTED, anchor="middle", size=12)
        if self.y.name:
            middle = self.top + self.height / 2
            self.sheet.word(self.left - 46, middle, self.y.name, MUTED, anchor="middle", size=12, turned=True)
        if title:
            self.sheet.word(self.left, self.top - 10, title, INK, size=14, bold=True)

    def curve(
        self, xs: Sequence[float], ys: Sequence[float], pen: Pen, *, dashed: bool = False, marks: bool = True
    ) -> None:
        """Draw a curve; published ones are dashed with hollow markers."""
        points = [self.at(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
        self.sheet.line(points, pen.colour, 1.3 if dashed else 2.2, dashed)
        for place in points if marks else ():
            self.sheet.mark(*place, pen.mark, pen.colour, 3.6 if dashed else 4.5, hollow=dashed)

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], pen: Pen) -> None:
        """Fill what lies between two curves."""
        up = [self.at(x, y) for x, y in zip(xs, high, strict=True)]
        down = [self.at(x, y) for x, y in zip(xs, low, strict=True)]
        if len(up) == 1:  # one point has a bar instead of a band
            self.sheet.line([up[0], down[0]], pen.colour, 1.6)
        self.sheet.area([*up, *reversed(down)], pen.colour, 0.16)


def draw_legend(sheet: Sheet, left: float, y: float, entries: Sequence[tuple[str, Pen]], width: float) -> float:
    """Write names with their markers from `left` on, in lines of at most `width`; returns the y of the last line."""
    x = left
    for name, pen in entries:
        wide = 24 + 7.2 * len(name)
        if x > left and x + wide > left + width:
            x, y = left, y + 20
        sheet.mark(x + 6, y - 4, pen.mark, pen.colour)
        sheet.word(x + 16, y, name, INK, size=13)
        x += wide
    return y
