"""What every command prints with: results go to stdout, narration to stderr, JSON alone when asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lamo_core.plain_text import plain_json, plain_text

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[str, int, int], None]
"""Takes the name of a stage, how much of it is done, and how much there is in all."""

_PIPE_WIDTH = 200
"""Columns of a table that goes into a file or a pipe, so that nothing is cut."""


def console() -> Console:
    """Return the console for narration: stderr; colours only in a terminal and without NO_COLOR."""
    from rich.console import Console

    class Narration(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(plain_text(part) if isinstance(part, str) else part for part in objects), **options)

    return Narration(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """Print a line of the result on stdout; what a terminal would obey in it is written out."""
    print(plain_text(text), flush=True)


def emit_json(value: Any) -> None:
    """Print one JSON object on stdout; NaN and infinities become "NaN", "Infinity" and "-Infinity"."""
    from lamo_core.runs.records import encode

    print(plain_json(encode(value)), flush=True)


def emit_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Print a table on stdout; None shows as a dash.

    Columns named in `right` are aligned to the right. Where a terminal is too narrow, those in `optional` are left
    out, the first one first.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    columns, right = [plain_text(name) for name in columns], [plain_text(name) for name in right]
    texts = [
        [cell if isinstance(cell, Text) else Text("-" if cell is None else plain_text(str(cell))) for cell in row]
        for row in rows
    ]
    widths = {name: max([len(name), *(row[i].cell_len for row in texts)]) for i, name in enumerate(columns)}
    dropped: set[str] = set()
    for name in optional:
        if sum(width + 2 for key, width in widths.items() if key not in dropped) - 2 > out.width:
            dropped.add(name)
    shown = [i for i, name in enumerate(columns) if name not in dropped]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i in shown:
        table.add_column(columns[i], justify="right" if columns[i] in right else "left", no_wrap=True)
    for row in texts:
        table.add_row(*(row[i] for i in shown))
    out.print(table)


@contextmanager
def progress() -> Iterator[Report]:
    """Show stages of long work on stderr: a bar in a terminal, else a line now and then."""
    from lamo_tui.cli.progress import ProgressLine

    with ProgressLine() as line:
        yield line.stage


def file_size(count: int) -> str:
    """Return bytes for people."""
    if count >= 100_000_000:
        return f"{count / 1e9:,.2f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def duration(seconds: float | None) -> str:
    """Return seconds for people: `48s`, `3m 12s`, `2h 05m`, `3d 04h`; a dash for None."""
    if seconds is None or seconds != seconds or seconds in (float("inf"), float("-inf")):
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def counted(count: int, thing: str) -> str:
    """Return a number with what it counts: `1 episode`, `1,500 episodes`."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def rate(per_second: float | None) -> str:
    """Return a rate for people: three digits, a dash for None."""
    return "-" if per_second is None else f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def known(value: float, digits: str) -> str:
    """Return a number in the format `digits`, such as `.1f`; a dash for NaN, where nothing is known."""
    return "-" if value != value else format(value, digits)
