"""Columns of the list of runs: what each cell shows, how wide it is, and what the list can be ordered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rich.style import Style
from rich.text import Text

from lamo_core.runs.compare import config_difference
from lamo_core.runs.index import RunSummary
from lamo_core.runs.status import FREED
from lamo_core.wording import counted
from lamo_tui.format import duration, rate
from lamo_tui.text import (
    bar,
    figure,
    fit,
    inked,
    normalised,
    share_done,
    short_id,
    short_time,
    spark,
    state_text,
    time_left,
)
from lamo_tui.themes import LETTERS, Palette

_BAR, _PERCENT = 12, 5
_SPARK = 10
_LONGEST_VALUE = 14
"""Columns for a setting."""
_MOST_SETTINGS = 24


@dataclass(frozen=True)
class RunRow:
    """A run with what the list has to know beyond it."""

    run: RunSummary
    name: str
    """With the seed as its last word."""
    selected: bool
    pinned: bool
    age: float
    colours: Palette

    @property
    def mark(self) -> object:
        """What differs when the line would look different."""
        return self.run, self.name, self.selected, self.pinned, short_time(self.age), self.colours


Cell = Callable[[RunRow, int], Text]
"""Draws a cell in so many columns at most."""


@dataclass(frozen=True)
class Column:
    """One column: its width, how necessary it is (1 is always shown), and the width that will do."""

    name: str
    width: int
    rank: int
    cell: Cell
    right: bool = False
    least: int = 0
    text: str = ""
    """What it shows, for who chooses columns."""

    @property
    def needs(self) -> int:
        """The columns without which it is not shown."""
        return self.least or self.width


def best_return(run: RunSummary) -> float | None:
    """Return the highest mean return of the run's evaluations."""
    counting = run.status.standing.counting
    return None if counting is None else max(point.mean for point in (*run.status.evaluations, counting))


def score(run: RunSummary) -> float | None:
    """Return the normalised score of the evaluation that counts."""
    counting = run.status.standing.counting
    return None if counting is None else counting.normalised


def _mark(row: RunRow, width: int) -> Text:
    text = Text()
    text.append("▌" if row.selected else " ", row.colours.secondary)
    return text.append("*" if row.pinned else " ", row.colours.warn)


def _state(row: RunRow, width: int) -> Text:
    colour = row.colours.state(row.run.state)
    text = inked(f"{LETTERS.get(row.run.state, '?')} ", Style(color=colour, bold=True))
    return text.append(state_text(row.run), Style(color=colour))


def _name(row: RunRow, width: int) -> Text:
    name, _, seed = row.name.rpartition(" ")
    quiet = row.run.state in ("stopped", "lost")
    text = inked(fit(name, width - len(seed) - 1), row.colours.dim if quiet else row.colours.text)
    return text.append(f" {seed}", row.colours.dim)


def _progress(row: RunRow, width: int) -> Text:
    run, colours = row.run, row.colours
    if run.state == "running" and run.status.phase not in ("", "training") and run.status.phase_total:
        count = f"{run.status.phase_done}/{run.status.phase_total}"
        words = f"{run.status.phase} {count}"  # where that is too long the numbers come first
        return Text(words if len(words) <= width else fit(f"{count} {run.status.phase}", width), colours.secondary)
    if run.state == "paused" and run.status.freed:
        return Text(fit(FREED, width), colours.state(run.state))
    if run.state == "finished":  # a full bar on every line says nothing
        return Text(counted(run.status.step, "step") if width >= 13 else f"{run.status.step:,}", colours.dim)
    full, empty = bar(share_done(run), width - _PERCENT)
    text = inked(full, colours.state(run.state))
    return text.append(empty, colours.faint).append(f" {100 * share_done(run):3.0f}%", colours.dim)


def _return(row: RunRow, width: int) -> Text:
    return Text(figure(row.run.status.last_return), Style(bold=True))


def _trend(row: RunRow, width: int) -> Text:
    return Text(spark([point.mean for point in row.run.status.evaluations], width), row.colours.dim)


def _plain(value: Callable[[RunSummary], str]) -> Cell:
    return lambda row, width: Text(value(row.run), row.colours.dim)


COLUMNS = (
    Column("", 2, 1, _mark),
    Column("state", 13, 1, _state),
    Column("run", 25, 1, _name),
    Column("progress", _BAR + _PERCENT, 2, _progress, least=7 + _PERCENT, text="how much of its steps is done"),
    Column("return", 7, 1, _return, right=True, text="mean return of the evaluation that counts"),
    Column("score", 6, 3, _plain(lambda run: normalised(score(run))), right=True, text="the same, normalised"),
    Column("best", 7, 5, _plain(lambda run: figure(best_return(run))), right=True, text="the highest return so far"),
    Column("trend", _SPARK, 6, _trend, least=7, text="returns of the newest evaluations"),
    Column(
        "left",
        5,
        2,
        lambda row, width: Text("" if time_left(row.run) is None else short_time(time_left(row.run))),
        right=True,
        text="time left",
    ),
    Column("took", 7, 6, _plain(lambda run: duration(run.status.seconds)), right=True, text="time worked"),
    Column(
        "held-out", 8, 7, _plain(lambda run: figure(run.status.held_out_loss)), right=True, text="loss on unseen data"
    ),
    Column("loss", 7, 8, _plain(lambda run: figure(run.status.loss)), right=True, text="training loss"),
    Column("steps/s", 7, 8, _plain(lambda run: rate(run.status.rate)), right=True, text="speed"),
    Column(
        "age", 5, 4, lambda row, width: Text(short_time(row.age), row.colours.dim), right=True, text="since it was made"
    ),
    Column("device", 7, 9, _plain(lambda run: run.status.device or "-"), text="where it was trained"),
    Column("id", 4, 9, _plain(lambda run: short_id(run.id)), text="the end of its id"),
)
"""In the order in which they stand."""

CHOOSABLE = tuple(column for column in COLUMNS if column.text)
"""Columns that can be chosen; the others are always there."""

_RESULTS = {"": 1, "state": 1, "run": 1, "return": 1, "score": 2, "best": 50, "held-out": 51, "took": 52}
"""Columns of the table of settings and results, with their ranks there: settings come between them."""


def chosen_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns that were chosen, with those that are always there; all of them where none was."""
    if not names:
        return COLUMNS
    return tuple(
        replace(column, rank=min(2, column.rank)) for column in COLUMNS if not column.text or column.name in names
    )


def table_columns(runs: Sequence[RunSummary]) -> tuple[Column, ...]:
    """Return the columns of a table of results and of all settings in which the runs differ."""
    results = tuple(replace(column, rank=_RESULTS[column.name]) for column in COLUMNS if column.name in _RESULTS)
    return results + setting_columns([run.settings for run in runs])


def setting_columns(settings: Sequence[Mapping[str, object]]) -> tuple[Column, ...]:
    """Return a column for each setting in which runs differ, other than what their names say."""
    rows = config_difference(settings) if len(settings) > 1 else {}
    told = {name: row for name, row in rows.items() if name not in ("name", "seed")}
    columns = []
    for rank, (name, values) in enumerate(list(told.items())[:_MOST_SETTINGS], start=10):
        title = _short_setting(name, told)
        wide = min(_LONGEST_VALUE, max(len(title), *(len(_value(value)) for value in values)))
        columns.append(Column(title, wide, rank, partial(_setting, name), right=True))
    return tuple(columns)


def _short_setting(name: str, told: Mapping[str, object]) -> str:
    """Return the last part of a setting's name where no other setting has the same."""
    last = name.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in told) == 1 else name


def _setting(name: str, row: RunRow, width: int) -> Text:
    return Text(fit(_value(row.run.settings.get(name)), width), row.colours.text)


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)


ORDERS: dict[str, Callable[[RunSummary], tuple[float, str]]] = {
    "age": lambda run: (-run.created, run.id),
    "return": lambda run: (-_known(run.status.last_return), run.id),
    "score": lambda run: (-_known(score(run)), run.id),
    "best": lambda run: (-_known(best_return(run)), run.id),
    "held-out": lambda run: (-_known(_negative(run.status.held_out_loss)), run.id),
    "took": lambda run: (-run.status.seconds, run.id),
    "progress": lambda run: (-share_done(run), run.id),
    "run": lambda run: (0.0, run.name + run.id),
}
"""By which column the list can be ordered, and its sorting key."""


def _known(value: float | None) -> float:
    return -float("inf") if value is None or value != value else value


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
