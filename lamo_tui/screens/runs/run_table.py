"""How a run looks as one line of the list, in whatever width there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from lamo_core.runs.index import RunSummary
from lamo_tui.screens.runs.run_columns import COLUMNS, ORDERS, Column, RunRow
from lamo_tui.themes import Palette

_GAP = 1
_LEAST_NAME = 25
"""Columns of the name that come before all other columns."""


@dataclass(frozen=True)
class Layout:
    """The columns that fit into a line, and their widths."""

    places: tuple[tuple[Column, int], ...]

    def draw(self, row: RunRow) -> Text:
        """Draw the line of a run."""
        line = Text(no_wrap=True)
        for column, room in self.places:
            cell = column.cell(row, room)
            cell.truncate(room, overflow="ellipsis")
            gap = " " * (room - cell.cell_len)
            line.append(" " * (_GAP if line.cell_len else 0))
            line.append_text(Text(gap) + cell if column.right else cell + Text(gap))
        return line

    def draw_head(self, order: str, colours: Palette) -> Text:
        """Draw the names of the columns, which order the list when clicked; the one that does is marked."""
        line = Text(no_wrap=True)
        for column, room in self.places:
            name = f"{column.name}▾" if column.name and column.name == order else column.name
            name = name[:room]
            line.append(" " * (_GAP if line.cell_len else 0))
            click = {"@click": f"screen.sort_by('{column.name}')"} if column.name in ORDERS else {}
            line.append(name.rjust(room) if column.right else name.ljust(room), Style(meta=click))
        line.stylize(Style(color=colours.dim))
        return line


def layout(width: int, name: int, order: str = "", columns: Sequence[Column] = COLUMNS) -> Layout:
    """Return the columns that fit: first what is always there, then names of `name` letters, then the others by rank.

    The column that the list is ordered by is there as well, unless it is newest first as always; what is left goes to
    those that want more.
    """
    ranks = {column.name: 1 if column.name == order != "age" else column.rank for column in columns}
    by_rank = sorted(columns, key=lambda column: ranks[column.name])
    first = [column for column in by_rank if ranks[column.name] == 1]
    widths = {column.name: column.needs for column in first}
    room = width - sum(widths.values()) - _GAP * (len(widths) - 1)
    # a name of endless length leaves half of the line to the others
    grown = max(0, min(room, min(name, max(_LEAST_NAME, width // 2)) - widths["run"]))
    widths["run"] += min(0, room) + grown
    room = max(0, room) - grown
    for column in by_rank[len(first) :]:
        if column.needs + _GAP > room:
            break
        widths[column.name] = column.needs
        room -= column.needs + _GAP
    for column in by_rank:
        more = max(0, min(room, (name if column.name == "run" else column.width) - widths.get(column.name, 0)))
        if column.name in widths:
            widths[column.name] += more
            room -= more
    widths["run"] = max(8, widths["run"])
    return Layout(tuple((column, widths[column.name]) for column in columns if column.name in widths))


def ordered(runs: Sequence[RunSummary], order: str, pinned: set[str]) -> list[RunSummary]:
    """Return the runs in order, pinned ones first."""
    return sorted(runs, key=lambda run: (run.id not in pinned, ORDERS[order](run)))
