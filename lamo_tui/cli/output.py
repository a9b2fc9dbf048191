"""Output of commands: results go to stdout, narration to stderr, JSON alone when asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lamo_core.runs.records import encode
from lamo_core.untrusted.plain_text import plain_json, plain_text
from lamo_tui.cli.plain_console import PlainConsole

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPE_WIDTH = 200
"""Columns that tables in a file or a pipe take at most, unless what they hold needs more."""
_GAP = 2


def console() -> Console:
    """Return the console for narration: stderr; colours only in a terminal and without NO_COLOR."""
    return PlainConsole(stderr=True, soft_wrap=True)


def in_terminal() -> bool:
    """Return whether results go to a terminal and not into a file or to a program."""
    return sys.stdout.isatty()


def say(text: str = "") -> None:
    """Print a line of the result on stdout; what a terminal would interpret in it is written out."""
    print(plain_text(text), flush=True)


def note(text: str) -> None:
    """Print prose about a result on stderr; a terminal has it wrapped between words, a file as one line."""
    narration = console()
    narration.print(text, style="dim", markup=False, soft_wrap=not narration.is_terminal)


def emit_json(value: Any) -> None:
    """Print one JSON object on stdout; NaN and infinities become "NaN", "Infinity" and "-Infinity"."""
    print(plain_json(encode(value)), flush=True)


def emit_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Print a table on stdout; None shows as a dash, and nothing is ever cut.

    Columns named in `right` are aligned to the right. Where a terminal is too narrow, those in `optional` are left
    out, the first one first; where it is too narrow for the others, each row becomes a paragraph.
    """
    from rich.text import Text

    columns, right = [plain_text(name) for name in columns], [plain_text(name) for name in right]
    texts = [
        [cell if isinstance(cell, Text) else Text("-" if cell is None else plain_text(str(cell))) for cell in row]
        for row in rows
    ]
    widths = [max([Text(name).cell_len, *(row[i].cell_len for row in texts)]) for i, name in enumerate(columns)]
    piped = not in_terminal()
    out = PlainConsole(width=max(_PIPE_WIDTH, _needed(widths)) if piped else None)
    shown = list(range(len(columns)))
    for name in optional:
        if _needed([widths[i] for i in shown]) > out.width:
            shown.remove(columns.index(name))
    if _needed([widths[i] for i in shown]) > out.width:
        for row in texts:
            out.print(_paragraph(columns, row, out.width), soft_wrap=True)
        return
    if piped and out.color_system is None and all(cell.plain.isprintable() for row in texts for cell in row):
        _print_plainly(columns, texts, [(i, widths[i], columns[i] in right) for i in shown])
        return
    out.print(_grid(columns, texts, shown, right))


def _needed(widths: Sequence[int]) -> int:
    """Return the columns of a table whose columns are so wide."""
    return sum(widths) + _GAP * (len(widths) - 1)


def _print_plainly(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], shown: Sequence[tuple[int, int, bool]]
) -> None:
    """Print what the grid would be in a file; of thousands of rows, Rich takes seconds to lay it out.

    `shown` are the places of columns, their widths, and whether they are aligned to the right.
    """
    from rich.text import Text

    lines = []
    for row in [[Text(name) for name in columns], *rows]:
        parts = []
        for number, (place, width, to_the_right) in enumerate(shown):
            room = " " * (width - row[place].cell_len)
            gap = " " * _GAP if number + 1 < len(shown) else ""
            parts.append(f"{room if to_the_right else ''}{row[place].plain}{'' if to_the_right else room}{gap}")
        lines.append("".join(parts))
    print("\n".join(lines), flush=True)


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Text]], shown: Sequence[int], right: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for i in shown:
        table.add_column(columns[i], justify="right" if columns[i] in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(row[i] for i in shown))
    return table


def _paragraph(columns: Sequence[str], row: Sequence[Text], width: int) -> Text:
    """Return a row as its first cell and, below it, the others that hold something, each behind its column's name."""
    from rich.text import Text

    parts = [
        Text(f"{name} " if name else "", style="dim").append_text(cell)
        for name, cell in zip(columns[1:], row[1:], strict=True)
        if cell.plain.strip() not in ("", "-")
    ]
    text, used = row[0].copy(), width
    for part in parts:
        fits = used + len(" · ") + part.cell_len <= width
        text.append(" · " if fits else "\n  ").append_text(part)
        used = part.cell_len + (used + len(" · ") if fits else 2)
    return text
