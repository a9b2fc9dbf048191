"""`lamo doctor`: what works on this machine, and what to install for the rest."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.doctor import Check, examine
from lamo_tui.cli.output import emit_json, emit_table, say
from lamo_tui.cli.progress import progress

if TYPE_CHECKING:
    from lamo_core.doctor import Check

_MARKS = {"ok": "ok", "optional": "-", "failed": "FAILED"}
_SMALL = (80, 24)

DOCTOR_EPILOG = "Examples:  lamo doctor   ·   lamo doctor --json"


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Say what works here and what to install: libraries, devices, simulators, pictures, terminal, folders, hub.

    Ends with exit code 1 when something is missing that lamo cannot do without.
    """
    checks: list[Check] = []
    with progress() as report:
        for check in examine():
            checks.append(check)
            report("examining", len(checks), 0)
    checks += _terminal()
    failed = [check.name for check in checks if check.state == "failed"]
    if as_json:
        emit_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        emit_table(["", "what", "found"], [[_MARKS[check.state], check.name, check.found] for check in checks])
        for check in checks:
            if check.state != "ok" and check.advice:
                say(f"{check.name}: {check.advice}")
        say(f"lamo does not work here yet: {', '.join(failed)}" if failed else "lamo works here")
    if failed:
        raise typer.Exit(1)


def _terminal() -> list[Check]:
    columns, rows = shutil.get_terminal_size()
    if not sys.stdout.isatty():
        return [Check("terminal", "optional", "the output is no terminal", "run lamo doctor in the one for lamo tui")]
    found = f"{os.environ.get('TERM', 'unknown')}, {columns}x{rows}, {_colours()}, {_graphics()}"
    small = columns < _SMALL[0] or rows < _SMALL[1]
    advice = f"the dashboard wants at least {_SMALL[0]}x{_SMALL[1]}" if small else ""
    checks = [Check("terminal", "optional" if small else "ok", found, advice)]
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        checks.append(Check("characters", "optional", encoding or "unknown", "set LANG to a UTF-8 locale for pictures"))
    return checks


def _colours() -> str:
    if os.environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16.7 million colours"
    return "256 colours" if "256" in os.environ.get("TERM", "") else "16 colours or unknown"


def _graphics() -> str:
    program, term = os.environ.get("TERM_PROGRAM", "").lower(), os.environ.get("TERM", "").lower()
    if os.environ.get("KITTY_WINDOW_ID") or "kitty" in term or program in ("ghostty", "wezterm"):
        return "has true graphics"
    return "pictures in half blocks"
