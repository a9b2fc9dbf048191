"""Tables as CSV that no spreadsheet program computes with: texts stay texts, and hold no letters that nobody sees."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence

from lamo_core.untrusted.plain_text import plain_line

_FORMULA = ("=", "+", "-", "@")
_NO_FORMULA = re.compile(r"-|[+-]?(\d+\.?\d*(e[+-]?\d+)?|inf|nan)")
"""A dash for what is not there, or a number."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; None and NaN are empty, and a text that would begin a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        text = plain_line(value)
        return f"'{text}" if text.startswith(_FORMULA) and not _NO_FORMULA.fullmatch(text) else text
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
