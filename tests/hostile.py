"""Texts of a stranger who wants a terminal, a clipboard or Textual's markup to obey, and run folders full of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lamo_core.runs.directory import RunDirectory

WORD = "PWN"
"""Is in every hostile text, and is harmless itself."""
OBEYED = "\x1b\x07\x9b\x9c\x00\x08\x7f\x0d\u202e\u2066\u200b\u200d\ufeff\u2028\U000e0041\ud83d"
"""Letters that must not come out."""
MARKUP = "[@click=app.bell]x[/][link=http://evil.example]y[/link][bold red]z[/nope]"
HOSTILE = f"\x1b]0;{WORD}\x07\x1b]52;c;UFdO\x07\x1b]8;;http://evil.example\x1b\\\x9b31m{OBEYED}{MARKUP}\x1b[2J"


def poisoned(value: Any, keep: frozenset[str] = frozenset()) -> Any:
    """Return what JSON holds with `HOSTILE` behind every text, but for those under the keys in `keep`."""
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, list):
        return [poisoned(item, keep) for item in value]
    if isinstance(value, dict):
        return {key: item if key in keep else poisoned(item, keep) for key, item in value.items()}
    return value


def poison_run(run: RunDirectory) -> None:
    """Put hostile texts everywhere in a run's folder where its readers take a text."""
    info = poisoned(json.loads(run.run_file.read_bytes()))
    info["config"]["strange" + HOSTILE] = {"strange" + HOSTILE: HOSTILE}
    info["origins"] |= {HOSTILE: HOSTILE}
    run.run_file.write_text(json.dumps(info))
    status = json.loads(run.status_file.read_bytes())
    kept = frozenset({"state", "host"})
    run.status_file.write_text(json.dumps(poisoned({"reason": "r", "message": "m", **status}, kept)))
    _poison_lines(run.events_file, frozenset({"event"}))
    _poison_lines(run.metrics_file, frozenset({"k"}))
    with run.metrics_file.open("a") as file:
        file.write(json.dumps({"step": 10_000, "t": 1.0, "k": "train", f"loss/{HOSTILE}": 1.0}) + "\n")
    with run.log_file.open("ab") as log:
        log.write(f"2026-11-21 01:44:02  {HOSTILE}\n{MARKUP}\n".encode("utf-8", "surrogatepass") + b"\xff\xfe\x80\n")


def _poison_lines(path: Path, keep: frozenset[str]) -> None:
    lines = [json.dumps(poisoned(json.loads(line), keep)) for line in path.read_bytes().splitlines()]
    path.write_text("\n".join(lines) + "\n")
