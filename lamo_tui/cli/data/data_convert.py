"""Data sets taken in from files and folders of others, and written in the form of another library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamo_core.data.checks.plausibility import set_warnings
from lamo_core.data.sources.import_set import import_set
from lamo_core.data.sources.minari_export import export_minari
from lamo_core.data.sources.resolve import find_anywhere
from lamo_core.data.store.local import require_received
from lamo_tui.cli.output import emit_json, note, say
from lamo_tui.cli.progress import progress
from lamo_tui.format import counted, file_size


def import_file(file: Path, name: str, task: str, *, older_layout: bool, as_json: bool) -> None:
    """Check a file or folder, keep it as a set and print what it holds; raises `LamoError`."""
    with progress() as report:
        card = import_set(file, name, task, report, older_layout=older_layout)
    warnings = set_warnings(require_received("imported", card["name"]))
    result: dict[str, Any] = {"set": card["name"], "task": card["task"]}
    result |= {key: card[key] for key in ("episodes", "transitions", "log_sha256")} | {"warnings": warnings}
    if as_json:
        emit_json(result)
    else:
        counts = f"{counted(card['episodes'], 'episode')} with {counted(card['transitions'], 'transition')}"
        task, naming = (f" for {card['task']}", "") if card["task"] else ("", " --set task.name=TASK")
        say(f"{card['name']}: {counts}{task}; train on it with --set data.set={card['name']}{naming}")
        for remark in [*card["notes"], *(f"warning: {warning}" for warning in warnings)]:
            note(remark)


def export_set(name: str, source: str | None, out: Path, share: float, seed: int, *, as_json: bool) -> None:
    """Write a share of a set as a Minari data set and print where it is; raises `LamoError`."""
    with progress() as report:
        result = export_minari(find_anywhere(name, source), out, share, seed, report)
    if as_json:
        emit_json(result)
    else:
        counts = f"{counted(result['episodes'], 'episode')} with {counted(result['transitions'], 'transition')}"
        say(f"{result['path']}: {counts} ({file_size(result['bytes'])}); Minari's id is {result['id']}")
