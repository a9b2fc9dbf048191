"""What every table of a report is made from, and what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lamo_core.evaluation.intervals import bracketed
from lamo_core.reports.cells import Cell
from lamo_core.reports.rows import ReportRow
from lamo_core.untrusted.plain_text import plain_line


@dataclass(frozen=True)
class Table:
    """Columns and rows of text, and a sentence that says how they came about."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    note: str
    right: tuple[str, ...] = ()
    """Columns of numbers."""
    optional: tuple[str, ...] = ()
    """Columns that a narrow terminal leaves out, the first one first."""

    def markdown(self) -> str:
        """Return the table and its note as Markdown."""
        rule = ["---:" if column in self.right else "---" for column in self.columns]
        lines = [self.columns, rule, *self.rows]
        table = "\n".join("| " + " | ".join(map(_literal, line)) + " |" for line in lines)
        return f"{table}\n\n{self.note}"


def _literal(cell: str) -> str:
    """Return text for a Markdown table in which no name makes a column, a tag, a link, a picture or code."""
    return re.sub(r"[|<`\\]|(?<=\])\(", lambda found: f"\\{found[0]}", plain_line(cell))


@dataclass(frozen=True)
class Report:
    """What all tables are made from."""

    rows: list[ReportRow]
    cells: list[Cell]
    baseline: str | None = None
    older: int = 0
    """Runs that do not count, since newer ones have the same settings and seed."""
    continued: int = 0
    """Runs that went on after their final evaluation, without another one."""

    @property
    def replaced(self) -> str:
        """Sentences on what does not count, empty where everything does."""
        text = ""
        if self.older:
            text += f" Of runs with the same settings and seed the newest counts; older ones left out: {self.older:,}."
        if self.continued:
            text += (
                " Of runs that went on without another final evaluation the last one counts, with the steps by then: "
                f"{self.continued:,}."
            )
        return text


def between(value: float, low: float, high: float) -> str:
    """Return a number with its interval, a dash where that is none."""
    return f"{value:.1f}{bracketed(low, high, '{:.1f}'.format, ' [-]')}"
