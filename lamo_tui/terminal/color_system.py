"""What the terminal can do, and how the choice is forced."""

from __future__ import annotations

import os
import re
import sys

from lamo_core.errors import UsageError

COLOURS = ("auto", "truecolor", "256", "16", "none")
_TEXTUAL = {"truecolor": "truecolor", "256": "256", "16": "standard"}


def choose_colours(choice: str) -> None:
    """Fix how many colours applications that are made from now on use. Raises `UsageError`."""
    if choice not in COLOURS:
        raise UsageError(f"--color wants one of {', '.join(COLOURS)}, not {choice!r}")
    if choice == "none":
        os.environ["NO_COLOR"] = "1"
    elif choice != "auto":
        os.environ.pop("NO_COLOR", None)
        os.environ["TEXTUAL_COLOR_SYSTEM"] = _TEXTUAL[choice]
        # Textual reads the variable when it is imported, which may have been by anything before this
        if (constants := sys.modules.get("textual.constants")) is not None:
            constants.COLOR_SYSTEM = _TEXTUAL[choice]  # type: ignore[attr-defined]


def check_terminal() -> None:
    """Raise `UsageError` where a full-screen program cannot work."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the dashboard needs a terminal; for scripts use: lamo tui --once, or lamo runs --json")
    if os.environ.get("TERM") == "dumb":
        raise UsageError("the terminal says it is dumb (TERM=dumb); set TERM, or use: lamo tui --once")


def parse_size(text: str) -> tuple[int, int]:
    """Return columns and rows from text such as `120x40`; raises `UsageError`."""
    found = re.fullmatch(r"(\d{2,4})x(\d{1,4})", text)
    if found is None:
        raise UsageError(f"--size wants columns x rows, such as 120x40, not {text!r}")
    return int(found[1]), int(found[2])
