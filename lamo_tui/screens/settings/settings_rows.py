"""The lines of the Settings screen: themes with their colours, and keys under the names of their screens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.theme import Theme

from lamo_tui import themes
from lamo_tui.keys.bindings import keys_of
from lamo_tui.keys.keymap import changed
from lamo_tui.keys.names import shown_key
from lamo_tui.keys.table import PLACES, Key
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.text import fit, inked
from lamo_tui.themes import Palette

HEADING = "#"
"""Begins the keys of lines that are headings."""
_KEYS, _LABEL, _ID = 11, 15, 24
"""Columns for keys, for a word about an action, and for its name."""
_WITH_TEXT, _WITH_ID = 64, 116
"""Columns from which on a line has a sentence, and the name, too."""


class KeyRows(Rows):
    """A list whose cursor passes over headings."""

    def go(self, at: int) -> None:
        """Put the cursor on a line that is no heading."""
        at = max(0, min(at, len(self.rows) - 1))
        for step in (1, -1) if at >= self.at else (-1, 1):
            found = self._beyond(at, step)
            if found is not None:
                super().go(found)
                # the heading above the first line comes into view with it
                self.scroll_to_region(Region(0, max(0, found - 1), 1, 2), animate=False)
                return

    def _beyond(self, at: int, step: int) -> int | None:
        while 0 <= at < len(self.rows):
            if not self.rows[at].key.startswith(HEADING):
                return at
            at += step
        return None


def theme_names(available: Iterable[str]) -> list[str]:
    """Return themes: lamo's own, those of the short list, all others."""
    known = sorted(available)
    first = [name for name in themes.CYCLE if name in known]
    return [*first, *(name for name in known if name not in first)]


def theme_rows(available: Mapping[str, Theme], chosen: str, colours: Palette) -> list[Row]:
    """Return one line per theme, and first that none is chosen for good."""
    rows = [Row("", option("the last chosen", not chosen, colours))]
    for name in theme_names(available):
        rows.append(Row(name, option(name, name == chosen, colours, _swatch(available[name]))))
    return rows


def _swatch(theme: Theme) -> Text:
    """Return a few of a theme's colours; those that a terminal chooses are not shown."""
    colours = [colour or "" for colour in (theme.primary, theme.secondary, theme.accent)]
    if not all(colour.startswith("#") for colour in colours):
        return Text()
    return Text.assemble(*(("■", colour) for colour in colours))


def option(title: str, chosen: bool, colours: Palette, tail: Text | None = None) -> Callable[[int], Text]:
    """Return what draws an option; the chosen one has a mark."""

    def draw(width: int) -> Text:
        room = width - 4 if tail is not None else width
        style = Style(bold=chosen, color=colours.primary if chosen else colours.text)
        line = inked(fit(("● " if chosen else "  ") + title, room), style)
        if tail is not None:
            line.append(" " * (width - 3 - line.cell_len)).append_text(tail)
        return line

    return draw


def key_rows(words: str, keymap: Mapping[str, str], colours: Palette) -> list[Row]:
    """Return the entries that fit words, each screen's under its name."""
    rows: list[Row] = []
    for place, (title, keys) in PLACES.items():
        fitting = [key for key in keys if fits(key, title, words, keymap)]
        if fitting:
            heading = inked(f" {title}", Style(bold=True, color=colours.primary))
            rows.append(Row(HEADING + place, _fixed(heading)))
        rows += [Row(key.id, _drawn(key, keymap, colours)) for key in fitting]
    return rows


def fits(key: Key, title: str, words: str, keymap: Mapping[str, str]) -> bool:
    """Return whether all words are part of what is said of an entry, or one of its keys."""
    said = f"{title} {key.id} {key.label} {key.text}".lower()
    keys = keys_of(key, keymap)
    star = "*" if changed(key, keymap) else ""
    return all(word.lower() in said or word in keys or word == star for word in words.split())


def head_text(width: int, colours: Palette) -> Text:
    """Return what stands above the columns."""
    parts = f"  {'key':<{_KEYS}}{'default':<{_KEYS}}{'does':<{_LABEL}}"
    return Text(parts + (f"{'name':<{_ID}}" if width >= _WITH_ID else ""), colours.dim)


def _drawn(key: Key, keymap: Mapping[str, str], colours: Palette) -> Callable[[int], Text]:
    moved = changed(key, keymap)
    now, default = " ".join(keys_of(key, keymap)), " ".join(map(shown_key, key.keys.split(",")))
    ink = colours.secondary if moved else colours.primary

    def draw(width: int) -> Text:
        line = inked(f"{'* ' if moved else '  '}{fit(now, _KEYS - 1):<{_KEYS}}", Style(bold=True, color=ink))
        line.append(f"{fit(default, _KEYS - 1):<{_KEYS}}", colours.dim)
        line.append(f"{fit(key.label, _LABEL - 1):<{_LABEL}}", colours.text)
        if width >= _WITH_ID:
            line.append(f"{key.id:<{_ID}}", colours.dim)
        return line.append(key.text, colours.dim) if width >= _WITH_TEXT else line

    return draw


def _fixed(line: Text) -> Callable[[int], Text]:
    return lambda width: line


def note_lines(first: str, second: str, file: str, colours: Palette) -> Text:
    """Return the lines under the lists: what is under the cursor, the command that does the same, the file."""
    lines: Sequence[tuple[str, str]] = ((first, colours.text), (second, colours.dim), (file, colours.dim))
    return Text("\n").join(Text(f" {line}", ink, no_wrap=True, overflow="ellipsis") for line, ink in lines)
