"""How serious each line of a log.txt is, told from what is known of those who write there; lines carry no level.

Three write there: the run's writer (a time, two spaces, and a sentence of `narrate`), the command that trains (its one
sentence about an error begins with `lamo:`), and Python with its libraries (warnings, tracebacks, `logging`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Level = Literal["info", "warning", "error"]

_SENTENCE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (?:step [\d,]+: )?(.*)", re.DOTALL)
_ERROR = re.compile(r"(?:failed|error|non-finite loss|evaluation failed)\b")
_WARNING = re.compile(r"(?:stopped: |signal\b|ignored |paused[^:]*: )")
"""The writer's sentences about a run that failed, or that was broken off; a command that made no sense."""
_LIBRARY_ERROR = re.compile(r"lamo: |(?:ERROR|CRITICAL)\b|\[E\d{4} |\S*(?:Error|Exception)(?::|$)")
_LIBRARY_WARNING = re.compile(r"lamo: interrupted$|WARNING\b|\[W\d{4} |Warning:|.*:\d+: \w*Warning: |\w+Warning: ")
_TRACEBACK = "Traceback (most recent call last):"


def log_levels(lines: Iterable[str]) -> list[Level]:
    """Return the level of each line; what goes on below a warning or in a traceback has the level of its beginning."""
    levels: list[Level] = []
    within: Level = "info"
    traced = False
    for line in lines:
        sentence = _SENTENCE.fullmatch(line)
        if sentence is not None:
            within, traced = "info", False
            levels.append(_of_sentence(sentence[1]))
        elif line.startswith(_TRACEBACK):
            within, traced = "error", True
            levels.append("error")
        elif line[:1] in (" ", "\t") and within != "info":
            levels.append(within)
        elif traced and line:  # the traceback's last line names what was raised
            traced = False
            levels.append("error")
        else:
            within = _of_other(line)
            levels.append(within)
    return levels


def _of_sentence(text: str) -> Level:
    if _ERROR.match(text):
        return "error"
    return "warning" if _WARNING.match(text) else "info"


def _of_other(line: str) -> Level:
    if _LIBRARY_WARNING.match(line):
        return "warning"
    return "error" if _LIBRARY_ERROR.match(line) else "info"
