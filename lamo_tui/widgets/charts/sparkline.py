"""A curve in one line of text, for cells of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from lamo_tui.widgets.charts.raster import MarkerMode

_BARS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=+*#@"


def sparkline(
    y: NDArray[np.float64],
    width: int,
    *,
    colour: str = "",
    low: float | None = None,
    high: float | None = None,
    mode: MarkerMode = "braille",
) -> Text:
    """Return the means of `width` equal parts of `y` (N,) as bars between `low` and `high` (None: the values' own).

    Fewer than `width` values give as many bars; a part without a finite value is a blank.
    """
    if width < 1 or not len(y):
        return Text("")
    values = np.clip(np.where(np.isfinite(y), y, np.nan), -1e150, 1e150)
    count = min(width, len(values))
    starts = np.arange(count) * len(values) // count
    there = np.isfinite(values)
    seen = np.add.reduceat(there.astype(np.float64), starts)
    sums = np.add.reduceat(np.where(there, values, 0.0), starts)
    means = np.divide(sums, seen, out=np.full(count, np.nan), where=seen > 0)
    if not np.isfinite(means).any():
        return Text(" " * count)
    bottom = float(np.nanmin(means)) if low is None else low
    top = float(np.nanmax(means)) if high is None else high
    glyphs = _ASCII if mode == "ascii" else _BARS
    share = (means - bottom) / (top - bottom) if top > bottom else np.where(np.isfinite(means), 0.5, np.nan)
    levels = np.nan_to_num(np.clip(share, 0.0, 1.0) * (len(glyphs) - 1)).round().astype(int)
    bars = "".join(glyphs[level] if ok else " " for level, ok in zip(levels, np.isfinite(means), strict=True))
    return Text(bars, style=colour)
