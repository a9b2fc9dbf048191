"""Everything on a chart that is said in words: its head line, the letters at the lines' ends, names of references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lamo_tui.widgets.cells import MUTED, TEXT, Cells, Paint, shorten
from lamo_tui.widgets.charts.scales import format_count, format_duration, format_value
from lamo_tui.widgets.charts.series import Reference, Series


def value_at(series: Series, x: float | None) -> float:
    """Return the series' value nearest to `x`, or its newest finite value for None; NaN where there is none."""
    length = min(len(series.x), len(series.y))
    if not length:
        return float("nan")
    if x is None:
        tail = series.y[max(0, length - 256) : length]
        finite = tail[np.isfinite(tail)]
        if not len(finite):  # the mean of seeds of which one ended long before the others
            finite = series.y[:length][np.isfinite(series.y[:length])]
        return float(finite[-1]) if len(finite) else float(series.y[length - 1])
    xs = series.x[:length]
    after = int(np.searchsorted(xs, x))
    if after == length or (after > 0 and x - xs[after - 1] <= xs[after] - x):
        after -= 1
    return float(series.y[after])


def format_x(x: float, x_kind: str) -> str:
    """Write a place on the x axis."""
    return format_duration(x) if x_kind == "seconds" else format_count(x)


def draw_head(
    cells: Cells,
    title: str,
    ink: Paint,
    series: Sequence[Series],
    cursor: float | None,
    x_name: str,
    x_kind: str,
) -> None:
    """Write the title, and at its right each series' letter, name and value, as far as there is room."""
    place = "" if cursor is None else f"{x_name} {format_x(cursor, x_kind)}"
    values = [format_value(value_at(one, cursor)) for one in series]
    named = [(one.marker, one.name, value) for one, value in zip(series, values, strict=True)]
    if len(named) == 1 and named[0][1] in ("", title):
        named = [("", "", named[0][2])]
    if len(title) + _width(named) + len(place) + 6 > cells.width:
        named = [(letter, "", value) for letter, _, value in named]
    if len(title) + _width(named) + len(place) + 6 > cells.width and place:
        place = place.rsplit(" ", 1)[-1]
    full = _width(named) + len(place) + 2 * bool(place)
    column = cells.write(0, 0, shorten(title, max(6, cells.width - full - 2)), ink)
    at = max(column + 2, cells.width - _width(named) - (len(place) + 2 if place else 0))
    if place:
        at = cells.write(0, at, place, TEXT) + 2
    for (letter, name, value), one in zip(named, series, strict=True):
        if letter:
            at = cells.write(0, at, letter, Paint(one.colour, bold=True)) + 1
        if name:
            at = cells.write(0, at, name, MUTED) + 1
        at = cells.write(0, at, value, TEXT if letter else Paint(one.colour)) + 2


def _width(named: Sequence[tuple[str, str, str]]) -> int:
    return sum(sum(len(part) + 1 for part in parts if part) + 1 for parts in named) - 2 * bool(named)


def draw_letters(cells: Cells, row: int, column: int, height: int, ends: Iterable[tuple[int, int, str, Paint]]) -> None:
    """Write the letter of each line at its end, the highest line first; those that would meet keep their order."""
    columns: dict[int, list[tuple[int, str, Paint]]] = {}
    for line, place, letter, ink in ends:
        columns.setdefault(place, []).append((line, letter, ink))
    for place, letters in columns.items():
        for at, (_, letter, ink) in zip(_spread([line for line, _, _ in letters], height), letters, strict=False):
            cells.write(row + at, column + place, letter, ink)


def _spread(lines: Sequence[int], height: int) -> list[int]:
    """Return a row for each, in their order and as near as can be; of more than `height` the first ones."""
    rows: list[int] = []
    for line in lines[:height]:
        rows.append(max(line, rows[-1] + 1 if rows else 0))
    for back in range(len(rows)):
        place = len(rows) - 1 - back
        rows[place] = min(rows[place], height - 1 - back)
    return rows


def draw_reference_labels(
    cells: Cells, row: int, column: int, width: int, references: Iterable[tuple[Reference, int, bool]]
) -> None:
    """Write each reference's name and value on its line, or with an arrow at the edge beyond which it lies."""
    if width < 24:
        return
    taken: dict[int, int] = {}
    for reference, line, in_view in references:
        arrow = "" if in_view else ("↑ " if line == 0 else "↓ ")
        text = f" {arrow}{reference.name} {format_value(reference.y)} "
        left = taken.get(line, column + 1)
        if left + len(text) < column + width:
            taken[line] = cells.write(row + line, left, text, Paint(reference.colour)) + 1
