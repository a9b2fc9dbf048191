"""How a run looks as one line of the list, in whatever width there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from lamo_core.runs.index import RunSummary
from lamo_core.runs.status import FREED
from lamo_tui.format import rate
from lamo_tui.text import bar, figure, fit, inked, share_done, short_id, short_name, short_time, spark, state_text
from lamo_tui.themes import LETTERS, Palette

_BAR, _PERCENT = 12, 5
_SPARK = 10


@dataclass(frozen=True)
class Column:
    """One column: its width, how necessary it is (1 is shown first), and the width that will do."""

    name: str
    width: int
    rank: int
    right: bool = False
    least: int = 0

    @property
    def needs(self) -> int:
        """The columns without which it is not shown."""
        return self.least or self.width


COLUMNS = (
    Column("", 2, 1),
    Column("state", 13, 1),
    Column("run", 25, 1),
    Column("progress", _BAR + _PERCENT, 2, least=7 + _PERCENT),
    Column("return", 7, 1, right=True),
    Column("trend", _SPARK, 3, least=7),
    Column("left", 5, 2, right=True),
    Column("steps/s", 7, 4, right=True),
    Column("loss", 7, 5, right=True),
    Column("age", 5, 3, right=True),
    Column("step", 13, 6, right=True),
    Column("device", 7, 8),
    Column("id", 4, 7),
)
_GAP = 1


def layout(width: int) -> list[tuple[Column, int]]:
    """Return the columns that fit and their widths; what is left goes to those that want more, then to the name."""
    widths: dict[str, int] = {}
    room = width + _GAP
    by_rank = sorted(COLUMNS, key=lambda column: column.rank)
    for column in by_rank:
        if column.rank > 1 and column.needs + _GAP > room:
            break
        widths[column.name] = column.needs
        room -= column.needs + _GAP
    for column in by_rank:
        if column.name in widths:
            more = max(0, min(room, column.width - column.needs))
            widths[column.name] += more
            room -= more
    widths["run"] = max(8, widths["run"] + min(room, 34))
    return [(column, widths[column.name]) for column in COLUMNS if column.name in widths]


def draw_head(width: int, order: str, colours: Palette) -> Text:
    """Draw the names of the columns; the one that is sorted by is marked."""
    line = Text(no_wrap=True)
    for column, room in layout(width):
        name = f"{column.name}▾" if column.name and column.name == order else column.name
        line.append(" " * (_GAP if line.cell_len else 0)).append(name.rjust(room) if column.right else name.ljust(room))
    line.stylize(Style(color=colours.dim))
    return line


@dataclass(frozen=True)
class RunRow:
    """A run with what the list has to know beyond it."""

    run: RunSummary
    selected: bool
    pinned: bool
    age: float
    colours: Palette

    @property
    def mark(self) -> object:
        """What differs when the line would look different."""
        return self.run, self.selected, self.pinned, short_time(self.age), self.colours

    def draw(self, width: int) -> Text:
        """Draw the line."""
        line = Text(no_wrap=True)
        for column, room in layout(width):
            cell = _CELLS[column.name](self, room)
            cell.truncate(room, overflow="ellipsis")
            gap = " " * (room - cell.cell_len)
            line.append(" " * (_GAP if line.cell_len else 0))
            line.append_text(Text(gap) + cell if column.right else cell + Text(gap))
        return line


def _mark(row: RunRow, width: int) -> Text:
    text = Text()
    text.append("▌" if row.selected else " ", row.colours.secondary)
    return text.append("*" if row.pinned else " ", row.colours.warn)


def _state(row: RunRow, width: int) -> Text:
    colour = row.colours.state(row.run.state)
    text = inked(f"{LETTERS.get(row.run.state, '?')} ", Style(color=colour, bold=True))
    return text.append(state_text(row.run), Style(color=colour))


def _name(row: RunRow, width: int) -> Text:
    seed = f" s{row.run.settings.get('seed', '?')}"
    name = short_name(row.run).removesuffix(seed)
    quiet = row.run.state in ("stopped", "lost")
    text = inked(fit(name, width - len(seed)), row.colours.dim if quiet else row.colours.text)
    return text.append(seed, row.colours.dim)


def _progress(row: RunRow, width: int) -> Text:
    run, colours = row.run, row.colours
    if run.state == "running" and run.status.phase not in ("", "training") and run.status.phase_total:
        count = f"{run.status.phase_done}/{run.status.phase_total}"
        words = f"{run.status.phase} {count}"  # where that is too long the numbers come first
        return Text(words if len(words) <= width else fit(f"{count} {run.status.phase}", width), colours.secondary)
    if run.state == "paused" and run.status.freed:
        return Text(fit(FREED, width), colours.state(run.state))
    share = share_done(run)
    full, empty = bar(share, width - _PERCENT)
    text = inked(full, colours.state(run.state))
    return text.append(empty, colours.faint).append(f" {100 * share:3.0f}%", colours.dim)


def _return(row: RunRow, width: int) -> Text:
    return Text(figure(row.run.status.last_return), Style(bold=True))


def _trend(row: RunRow, width: int) -> Text:
    return Text(spark([point.mean for point in row.run.status.evaluations], width), row.colours.primary)


def _plain(value: Callable[[RunSummary], str]) -> Callable[[RunRow, int], Text]:
    return lambda row, width: Text(value(row.run), row.colours.dim)


_CELLS: dict[str, Callable[[RunRow, int], Text]] = {
    "": _mark,
    "state": _state,
    "run": _name,
    "progress": _progress,
    "return": _return,
    "trend": _trend,
    "left": lambda row, width: Text(short_time(row.run.status.eta) if row.run.derived.active else ""),
    "steps/s": _plain(lambda run: rate(run.status.rate)),
    "loss": _plain(lambda run: figure(run.status.loss)),
    "age": lambda row, width: Text(short_time(row.age), row.colours.dim),
    "step": _plain(lambda run: f"{run.status.step:,}/{run.status.total:,}"),
    "device": _plain(lambda run: run.status.device or "-"),
    "id": _plain(lambda run: short_id(run.id)),
}

ORDERS: dict[str, Callable[[RunSummary], tuple[float, str]]] = {
    "age": lambda run: (-run.created, run.id),
    "return": lambda run: (-_known(run.status.last_return), run.id),
    "progress": lambda run: (-share_done(run), run.id),
    "run": lambda run: (0.0, run.name + run.id),
}
"""By which column the list can be ordered, and its sorting key."""


def _known(value: float | None) -> float:
    return -float("inf") if value is None or value != value else value


def ordered(runs: Sequence[RunSummary], order: str, pinned: set[str]) -> list[RunSummary]:
    """Return the runs in order, pinned ones first."""
    return sorted(runs, key=lambda run: (run.id not in pinned, ORDERS[order](run)))
