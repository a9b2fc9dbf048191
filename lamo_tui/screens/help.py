"""The help: every key of the table, as it is bound now, in as many columns as fit."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult

from lamo_tui.keys.bindings import bindings_of, keys_of, with_keys
from lamo_tui.keys.table import PLACES, Key
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.state.settings import settings_path
from lamo_tui.text import inked

_COLUMN = 56
"""Least width of a column."""
_MOST_COLUMNS = 3
_GAP = 3
_KEYS = 10
"""Columns for the keys of an entry."""
_COMMANDS = 42

_WAYS = (
    ("lamo train --preset NAME --detach", "start a run without the dashboard"),
    ("lamo runs", "the list, for scripts with --json"),
    ("lamo stop RUN · pause RUN · resume RUN", "steer a run"),
    ("lamo train … --queue · lamo queue", "let runs wait for their device, and list those that do"),
    ("lamo matrix", "the matrix as text, or with --json"),
    ("lamo tui --attach RUN", "open the dashboard at a run"),
    ("lamo replay RUN --save episode.gif", "play a policy and keep the episode; or .mp4, .cast, .npz"),
    ("lamo tui --once", "print one picture of the dashboard"),
    ("lamo tui --ascii", "draw with ASCII alone"),
)
_CHARTS = (
    "The chosen chart has the bright border. Its cursor gives the values under it, in all charts at once.",
    "A smoothed curve has its record behind it, dim. A band is the 95 % interval over the evaluated episodes.",
    "Dashed lines: random play, the mean return of the data that the run trains on, and the return asked for.",
)

_BEGIN = ("runs", "run", "new", "data", "matrix", "replay")
"""Places whose keys begin a block; others belong to what stands before them."""

Block = list[Text]
"""Lines that stay together in one column."""


class HelpScreen(LamoScreen):
    """All keys, by screen, and the commands that do the same."""

    PLACE = "help"
    BINDINGS = bindings_of("help")

    def __init__(self) -> None:
        super().__init__()
        self.names = False
        """Whether the names to move keys by stand in place of what keys do."""

    def compose_body(self) -> ComposeResult:
        """One long list."""
        yield Rows(id="help-text", cursor=False)

    def on_mount(self) -> None:
        """Fill it from the table."""
        self._fill()

    def on_resize(self, event: events.Resize) -> None:
        """Take as many columns as fit."""
        super().on_resize(event)
        self._fill()

    def recolour(self) -> None:
        """Draw again in other colours."""
        self._fill()

    def action_names(self) -> None:
        """Show names in place of sentences, or sentences again."""
        self.names = not self.names
        self._fill()

    def action_back(self) -> None:
        """Go back to the list of runs."""
        self.lamo.action_mode("runs")

    def _fill(self) -> None:
        rows, room = self.query_one(Rows), self.size.width - 3
        count = max(1, min(_MOST_COLUMNS, (room + _GAP) // (_COLUMN + _GAP)))
        width = (room + _GAP) // count - _GAP
        lines = [Text(), *beside(list(self._blocks(width)), count, width)]
        rows.set_rows([Row(str(index), _fixed(line)) for index, line in enumerate(lines)])
        rows.focus()

    def _blocks(self, width: int) -> Iterator[Block]:
        title, key_style = Style(bold=True, color=self.colours.primary), Style(bold=True, color=self.colours.secondary)
        dim = Style(color=self.colours.dim)
        block: Block = []
        for place, (name, keys) in PLACES.items():
            if place in _BEGIN and block:
                yield block
                block = []
            if place != "help":
                block += [
                    inked(name, title),
                    *(line for key in keys for line in self._entry(key, width, key_style, dim)),
                ]
                block.append(Text())
        yield block
        yield [inked("The same without the dashboard", title), *_commands(width, key_style), Text()]
        yield [
            inked("Charts", title),
            *(Text(f"  {part}") for line in _CHARTS for part in _wrap(line, width - 2)),
            Text(),
        ]
        remapping = (Text(f"  {part}", dim) for line in _remapping(self.keymap) for part in _wrap(line, width - 2))
        yield [inked("Other keys and another theme", title), *remapping, Text()]

    def _entry(self, key: Key, width: int, key_style: Style, dim: Style) -> Block:
        shown = " ".join(keys_of(key, self.keymap))
        room = width - 2 - _KEYS - 1
        text = key.id if self.names else key.text
        lines = []
        for number, part in enumerate(_wrap(text, room)):
            head = inked(f"  {shown if not number else '':<{_KEYS}} ", key_style)
            lines.append(head.append(part, dim if self.names else None))
        return lines


def beside(blocks: Sequence[Block], count: int, width: int) -> list[Text]:
    """Return the lines of `count` columns of equal width and about equal height; blocks stay whole and in order."""
    columns = _filled(blocks, count)
    lines = []
    for row in range(max(map(len, columns))):
        line = Text(" ", no_wrap=True)
        for number, column in enumerate(columns):
            part = column[row] if row < len(column) else Text()
            line.append(" " * (1 + number * (width + _GAP) - line.cell_len)).append_text(part)
        lines.append(line)
    return lines


def _filled(blocks: Sequence[Block], count: int) -> list[Block]:
    """Put each block, the longest first, into the column that is shortest so far."""
    chosen: list[list[int]] = [[] for _ in range(count)]
    heights = [0] * count
    for number in sorted(range(len(blocks)), key=lambda number: -len(blocks[number])):
        shortest = heights.index(min(heights))
        chosen[shortest].append(number)
        heights[shortest] += len(blocks[number])
    return [[line for number in sorted(column) for line in blocks[number]] for column in sorted(chosen, key=min)]


def _commands(width: int, key_style: Style) -> Iterator[Text]:
    for command, text in _WAYS:
        if width >= _COMMANDS + 2 + max(len(words) for _, words in _WAYS):
            yield inked(f"  {command:<{_COMMANDS}}", key_style).append(text)
        else:
            yield inked(f"  {command}", key_style)
            yield from (Text(f"    {part}") for part in _wrap(text, width - 4))


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(10, width)) or [""]


def _remapping(keymap: Mapping[str, str]) -> list[str]:
    return [
        f"{settings_path()}",
        'theme = "lamo-light"',
        "ascii = true",
        "[keymap]",
        '"runs.stop" = "S"',
        with_keys("<help.names> shows the name of each key above, and here stands the key to use instead.", keymap),
    ]


def _fixed(line: Text) -> Callable[[int], Text]:
    return lambda width: line
