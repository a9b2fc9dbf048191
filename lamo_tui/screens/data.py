"""The data sets on this machine: a list, and the card of the chosen one."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.style import Style
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal

from lamo_core.errors import LamoError
from lamo_core.wording import counted
from lamo_tui.cli.data.data_card import BESIDE_BARS, card_lines
from lamo_tui.dashboard.new_run_model import runs_on
from lamo_tui.keys.bindings import bindings_of
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.text import fit, inked
from lamo_tui.widgets.words import entitle

_MORE = "get more…"
_HOW_TO_GET_MORE = """\
Published data sets

The sets of the paper are fetched from the command line. A download can be interrupted: the same command goes on.
--dry-run says the size first.

  lamo data get hopper-medium-v2 --source d4rl
  lamo data get kitchen-complete-v0 --source d4rl
  lamo data get breakout-medium-v0 --source rl-unplugged
  lamo data get D4RL/kitchen/complete-v2 --source minari

Data of your own

  lamo data import FILE.hdf5 --task mujoco-hopper
  lamo data collect gym:CartPole-v1 --policy random

Then train: lamo train --preset paper-NAME for published sets, --preset NAME --set data.set=SET for your own.
"""

_SOURCE = " · "
"""Between a set's name and where it comes from."""
_BARS = 60
"""Columns of the longest bar, where there is room."""

Cards = dict[str, dict[str, Any] | str]
"""Set to its card, or to the sentence that says why there is none."""


class DataScreen(LamoScreen):
    """Sets on the left, the card on the right."""

    PLACE = "data"
    BINDINGS = bindings_of("data")
    AUTO_FOCUS = "#sets"

    def __init__(self) -> None:
        super().__init__()
        self.cards: Cards = {}

    def compose_body(self) -> ComposeResult:
        """List and card side by side."""
        with Horizontal():
            yield Rows(id="sets", empty=" reading the cards…")
            yield Rows(id="card", cursor=False)

    def on_mount(self) -> None:
        """Read the cards without holding up the screen."""
        entitle(self.query_one("#card"), "card")
        self.query_one("#card").add_class("panel")
        self._read()

    @work(thread=True, exclusive=True, group="cards", exit_on_error=False)
    def _read(self) -> None:
        from lamo_core.data.sources.manage import all_sets

        cards: Cards = {}
        for found in all_sets():
            name = found.name if found.source == "bundled" else f"{found.name}{_SOURCE}{found.source}"
            try:
                cards[name] = found.card()
            except LamoError as error:
                cards[name] = str(error)
        cards[_MORE] = {}
        self.app.call_from_thread(self._know, cards)

    def _know(self, cards: Cards) -> None:
        self.cards = cards
        self.recolour()

    def recolour(self) -> None:
        """Draw the list and the card."""
        sets = self.query_one("#sets", Rows)
        sets.cursor_style = Style(bgcolor=self.colours.cursor)
        sets.set_rows([Row(name, self._drawn(name, card)) for name, card in self.cards.items()])
        self._show_card(sets.key)

    def _drawn(self, name: str, card: dict[str, Any] | str) -> Callable[[int], Text]:
        amount = "damaged" if isinstance(card, str) else counted(card["episodes"], "episode") if card else ""
        dim = self.colours.dim
        return lambda width: Text(fit(f" {name}", 24).ljust(24)).append(f"{amount:>15}" if width > 38 else "", dim)

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Show the card of the set under the cursor."""
        if message.rows.id == "sets":
            self._show_card(message.key)

    def on_rows_widened(self, message: Rows.Widened) -> None:
        """Break the card's lines anew."""
        if message.rows.id == "card":
            self._show_card(self.query_one("#sets", Rows).key)

    def _show_card(self, name: str | None) -> None:
        rows = self.query_one("#card", Rows)
        width = max(20, rows.scrollable_content_region.width)
        lines = list(_wrapped(self._lines_of(name, width), width))
        rows.set_rows([Row(f"{name}-{index}", self._line(index, line)) for index, line in enumerate(lines)])
        rows.action_edge(0)

    def _lines_of(self, name: str | None, width: int) -> list[str]:
        card = self.cards.get(name or "")
        if name == _MORE:
            return _HOW_TO_GET_MORE.splitlines()
        if isinstance(card, str):
            return [card]
        return list(card_lines(card, max(8, min(_BARS, width - BESIDE_BARS)))) if card else []

    def _line(self, index: int, line: str) -> Callable[[int], Text]:
        style = Style(bold=True, color=self.colours.primary) if index == 0 else Style(color=self.colours.text)
        text = inked(line, style)
        if "│" in line:
            bar = line.index("│") + 1
            text.stylize(self.colours.primary, bar, bar + line.count("█") + line.count("▏"))
        return lambda width: text

    def on_rows_clicked(self, message: Rows.Clicked) -> None:
        """Set up a run on the set that was clicked twice."""
        if message.rows.id == "sets":
            self.action_train()

    def action_train(self) -> None:
        """Set up a run on the set under the cursor; from the line about more sets, any run."""
        name = self.query_one("#sets", Rows).key
        card = self.cards.get(name or "")
        if name == _MORE or name is None:
            self.lamo.new_run(None)
        elif isinstance(card, str):
            self.notify(card, severity="error")
        elif card is not None:
            found, _, source = name.partition(_SOURCE)
            self.lamo.try_to(lambda: self.lamo.new_run(runs_on(str(card.get("task") or ""), found, source)))

    def action_back(self) -> None:
        """Go back to the list of runs."""
        self.lamo.action_mode("runs")


def _wrapped(lines: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines no longer than a width; what does not fit goes on below the first value."""
    for line in lines:
        yield from textwrap.wrap(line, width, subsequent_indent=_indent(line)) or [""]


def _indent(line: str) -> str:
    """Return the spaces under a line's label, such as `returns   mean 3`; a line of prose or an example has none."""
    label = re.match(r"\S+( by)? {2,}|\s+", line)
    return " " * (label.end() if label else 0)
