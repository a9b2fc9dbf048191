"""Numbers, times and names as short text, and small drawings that fit into a line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from lamo_core.runs.index import RunSummary
from lamo_core.runs.status import has_begun

_SPARKS = "▁▂▃▄▅▆▇█"


def figure(value: float | None) -> str:
    """Return a number with four digits at most; a dash when there is none."""
    if value is None:
        return "-"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if abs(value) >= 100_000 or 0 < abs(value) < 0.001:
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def normalised(value: float | None) -> str:
    """Return a normalised score; a dash where the task has no scale."""
    return figure(None if value is None or math.isnan(value) else value)


def short_time(seconds: float | None) -> str:
    """Return seconds in five columns at most: `48s`, `12m`, `3h05`, `4d`."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}" if whole < 600 else f"{whole // 60}m"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86_400}d"


def size(count: float | None) -> str:
    """Return bytes for people: `3.1 GB`."""
    if count is None:
        return "n/a"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def spark(values: Sequence[float], width: int) -> str:
    """Return the newest finite values as a line of bars."""
    shown = [value for value in values if math.isfinite(value)][-width:]
    if not shown:
        return ""
    # halves, because the distance between two numbers may be more than a number holds
    shown = [value / 2 for value in shown]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    # one value, or equal ones, lie in the middle: neither good nor bad
    return "".join(_SPARKS[round(7 * (value - low) / span)] if high > low else _SPARKS[3] for value in shown)


def bar(share: float, width: int) -> tuple[str, str]:
    """Return the full part of a bar, to half a column, and its empty part."""
    full, half = divmod(round(2 * width * min(1.0, max(0.0, share))), 2)
    filled = "━" * full + "╸" * half
    return filled, "─" * (width - len(filled))


def state_text(run: RunSummary) -> str:
    """Return a run's state in words, with the seconds of silence when stalled, the place in the queue when queued."""
    if run.state == "stalled":
        return f"stalled {short_time(run.derived.stalled_seconds)}"
    return f"{run.state} {run.position}" if run.position else run.state


def lost_text(run: RunSummary) -> str:
    """Return what is to be done about a run whose process is gone; its keys are named for `with_keys`."""
    if run.run.last_checkpoint.is_file():
        way = "<*.resume> continues from the last checkpoint"
    elif has_begun(run.run, run.status):
        way = "it saved no checkpoint, <app.new> sets up another run"
    else:
        way = "nothing was trained yet, <*.resume> begins"
    return f"its process is gone without a word; {way}"


def time_left(run: RunSummary) -> float | None:
    """Return the seconds that a run has left; None where nobody knows, as in a final evaluation after all steps."""
    status = run.status
    evaluates = status.phase not in ("", "training") and status.step >= status.total
    return None if evaluates or not run.derived.active else status.eta


def called(run: RunSummary) -> str:
    """Return the run's name with its seed, and the end of its id, as sentences call it."""
    return f"{short_name(run)} ({short_id(run.id)})"


def short_name(run: RunSummary) -> str:
    """Return the run's name with its seed."""
    return f"{run.name or run.id} s{run.settings.get('seed', '?')}"


def short_id(run_id: str) -> str:
    """Return the part of an id that no other run has: its random ending."""
    found = re.search(r"-([a-z0-9]{4})$", run_id)
    return found.group(1) if found else run_id[:8]


def share_done(run: RunSummary) -> float:
    """Return how much of the run is done, 0 to 1."""
    return min(1.0, run.status.step / run.status.total) if run.status.total > 0 else 0.0


def inked(text: str, style: str | Style) -> Text:
    """Return text in a style that what is appended later does not take on, other than with `Text(text, style)`."""
    return Text().append(text, style)


def paragraph(label: str, parts: Sequence[str], width: int, dim: str) -> Text:
    """Return a label and its parts, the first in full strength; a part that does not fit begins a new line."""
    text, indent = inked(f"{label:<8}", dim), 8
    column = indent
    for index, part in enumerate(parts):
        joint = " · " if index else ""
        if index and column + len(joint) + len(part) > width:
            text.append("\n" + " " * indent)
            column, joint = indent, ""
        text.append(joint, dim).append(part, dim if index else "bold")
        column += len(joint) + len(part)
    return text.append("\n")


def percent(share: float) -> str:
    """Return a share as people write it: `0.1 %`."""
    return f"{100 * share:g} %"


def fit(text: str, width: int) -> str:
    """Cut text to a width, with an ellipsis."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def fitting(parts: Sequence[str], width: int, gap: int) -> list[str]:
    """Return the first parts that fit into a width with so many columns between them; the first one always."""
    shown: list[str] = []
    for part in parts:
        width -= len(part) + (gap if shown else 0)
        if shown and width < 0:
            break
        shown.append(part)
    return shown


def columns(cells: Sequence[tuple[str, str]], gap: int = 2) -> Text:
    """Join (text, style) cells with a gap into one line."""
    line = Text(no_wrap=True)
    for index, (text, style) in enumerate(cells):
        line.append(" " * gap if index else "").append(text, style)
    return line
