"""Text for the cells of a terminal: as wide as it was, without characters that a terminal would interpret or hide."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from lamo_core.untrusted.plain_text import is_plain, without_obeyed

INSTEAD = "�"


def harmless(text: str) -> str:
    """Return one line of text with a mark in place of each such character, or nothing where it takes no cell."""
    if is_plain(text):
        return text
    return set_cell_size(without_obeyed(text, lambda letter: INSTEAD * cell_len(letter)), cell_len(text))
