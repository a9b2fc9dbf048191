"""Which part of the x axis is shown, in buckets that stay where they are when data are added.

If the columns of a chart moved a little with each new point, the same data would fall into other columns and the
curve would shimmer. So a column starts at a whole multiple of its width, and while everything is shown that width
grows in steps of ten per cent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_STEPS_PER_DECADE = 24
_MARGIN = 0.03
"""Share of the view kept free to the right of the newest point."""
_DEEPEST = 1e-7
"""Smallest share of all data that a view can be zoomed into."""


@dataclass(frozen=True)
class Window:
    """The columns: number c covers [start + c*width, start + (c+1)*width)."""

    start: float
    width: float
    columns: int

    @property
    def end(self) -> float:
        """Where the last column ends."""
        return self.start + self.width * self.columns


def _spread(first: float, last: float) -> float:
    """Return the length of the data, or for a single point a length around it."""
    span = last - first
    smallest = max(abs(first), abs(last)) * 1e-9
    return span if span > max(smallest, 1e-200) else max(smallest * 10, 1.0 if max(abs(first), abs(last)) < 1e9 else 0)


@dataclass(frozen=True)
class Viewport:
    """Everything (`span` None), or `span` of the axis that ends at `end` or, when following, at the newest point."""

    span: float | None = None
    end: float = 0.0
    follow: bool = True

    def window(self, first: float, last: float, columns: int) -> Window:
        """Return the columns for data from `first` to `last`."""
        if self.span is None or self._misses(first, last):
            return _whole(first, last, columns)
        end = last + self.span * _MARGIN if self.follow else self.end
        width = self.span / columns
        return Window((math.ceil(end / width) - columns) * width, width, columns)

    def _misses(self, first: float, last: float) -> bool:
        """Return whether it lies where there is nothing, as in a shorter run than the one that it was chosen in."""
        return self.span is not None and not self.follow and not (self.end - self.span <= last and self.end >= first)

    def zoomed(self, factor: float, centre: float | None, first: float, last: float, columns: int) -> Viewport:
        """Return the view with `factor` times the detail around `centre` (None: the newest point, or the middle)."""
        now = self.window(first, last, columns)
        everything = _spread(first, last)
        span = (now.end - now.start) / factor
        if span >= everything * 1.02:
            return Viewport(follow=self.follow)
        span = max(span, everything * _DEEPEST, max(abs(first), abs(last)) * 1e-9)
        if centre is not None:
            centre = min(now.end, max(now.start, centre))
        newest_in_view = now.start <= last <= now.end
        if self.follow and newest_in_view and (centre is None or centre >= last - 0.1 * (now.end - now.start)):
            return Viewport(span, follow=True)
        if centre is None:
            centre = (now.start + now.end) / 2
        share = (centre - now.start) / (now.end - now.start)
        return Viewport(span, centre + span * (1 - share), follow=False)

    def panned(self, share: float, first: float, last: float, columns: int) -> Viewport:
        """Return the view moved by `share` of its width; reaching the newest point takes up following again."""
        if self.span is None:
            return self
        now = self.window(first, last, columns)
        end = now.end + share * self.span
        newest = last + self.span * _MARGIN
        if end >= newest:
            return Viewport(self.span, follow=True)
        return Viewport(self.span, max(end, first + self.span * 0.5), follow=False)

    def following(self, follow: bool, first: float, last: float, columns: int) -> Viewport:
        """Return the view that does or does not move along with the newest point."""
        if self.span is None:
            return replace(self, follow=follow)
        return Viewport(self.span, self.window(first, last, columns).end, follow)


def _whole(first: float, last: float, columns: int) -> Window:
    raw = _spread(first, last) / columns
    if last <= first:
        return Window(first - raw * (columns // 2), raw, columns)
    step = math.ceil(math.log10(raw) * _STEPS_PER_DECADE - 1e-9)
    while True:
        width = 10.0 ** (step / _STEPS_PER_DECADE)
        start = math.floor(first / width) * width
        # Not even the newest point may stick out; one step further is enough unless rounding interferes.
        if start + width * columns > last or width > 1e160:
            return Window(start, width, columns)
        step += 1
