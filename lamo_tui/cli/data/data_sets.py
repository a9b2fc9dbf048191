"""The data sets on this machine: listed, described, checked and deleted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lamo_core.data.checks.plausibility import set_warnings
from lamo_core.data.checks.recovery import recovery_advice
from lamo_core.data.sources.manage import (
    all_sets,
    remove_set,
    remove_unfinished,
    set_status,
    size_on_disk,
    unfinished_downloads,
    verify_set,
)
from lamo_core.data.sources.resolve import AnySet, find_anywhere
from lamo_core.errors import DamagedDataError, LamoError, UnsupportedDataError, UsageError
from lamo_core.wording import counted
from lamo_tui.cli.data.data_card import card_lines
from lamo_tui.cli.output import console, emit_json, emit_table, say
from lamo_tui.cli.progress import progress
from lamo_tui.format import file_size


def print_sets(*, as_json: bool) -> None:
    """Print one line per set, and one per download that was interrupted."""
    rows = [_row(found) for found in all_sets()]
    waiting = {name: sum(map(size_on_disk, paths)) for name, paths in unfinished_downloads().items()}
    if as_json:
        emit_json({"sets": rows, "unfinished": waiting})
        return
    columns = ("set", "source", "task", "episodes", "transitions", "mean return", "log", "unpacked")
    emit_table(columns, [_cells(row) for row in rows], right=columns[3:7], optional=("log", "source", "task"))
    for name, size in waiting.items():
        console().print(
            f"{name}: {file_size(size)} fetched so far; `lamo data get {name}` goes on, `lamo data rm {name}` deletes",
            markup=False,
        )


def _row(found: AnySet) -> dict[str, Any]:
    try:
        return asdict(set_status(found))
    except LamoError as error:  # one damaged set must not hide the others
        damaged = not isinstance(error, UnsupportedDataError)
        return {"name": found.name, "source": found.source, "error": str(error), "damaged": damaged}


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    if "error" in row:
        state = "damaged" if row["damaged"] else "not readable"
        return (row["name"], row["source"], None, None, None, None, None, f"{state}: see `lamo data verify`")
    unpacked = f"{counted(row['cached_episodes'], 'episode')}, {file_size(row['cached_bytes'])}"
    return (
        row["name"],
        row["source"],
        row["task"] or None,
        f"{row['episodes']:,}",
        f"{row['transitions']:,}",
        f"{row['mean_return']:,.1f}",
        file_size(row["log_bytes"]),
        unpacked if row["needs_unpacking"] else "ready",
    )


def print_card(name: str, source: str | None, *, as_json: bool) -> None:
    """Print the card of a set, and what is odd about its data; raises `LamoError`."""
    found = find_anywhere(name, source)
    card, warnings = found.card(), set_warnings(found)
    if as_json:
        emit_json({**card, "warnings": warnings})
        return

    try:
        lines = [*card_lines(card), *(f"warning   {warning}" for warning in warnings)]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DamagedDataError(f"the card of {name} is damaged", recovery_advice(found.path)) from error
    for line in lines:
        say(line)


def verify_one(name: str, source: str | None, replay: int, *, as_json: bool) -> None:
    """Check a set and replay some of its episodes; raises `DamagedDataError`."""
    with progress() as report:
        result = verify_set(find_anywhere(name, source), replay, report)
    if as_json:
        emit_json(asdict(result))
        return
    say(f"{name}: the file is whole (SHA-256 {result.log_sha256})")
    if result.cached_checked:
        say(f"unpacked episodes checked: {result.cached_checked:,}, damaged and deleted: {len(result.removed):,}")
    if result.replayed:
        say(f"episodes replayed, all frames and rewards equal: {result.replayed}")


def remove_one(name: str, source: str | None, *, as_json: bool) -> None:
    """Delete a set and what was fetched of it; raises `UsageError` where there is nothing of that name."""
    freed = remove_unfinished(name)
    try:
        freed += remove_set(find_anywhere(name, source))
    except UsageError:  # there is no whole set of that name
        if not freed:
            raise
    if as_json:
        emit_json({"set": name, "freed_bytes": freed})
    elif freed:
        say(f"{name}: {file_size(freed)} freed")
    else:
        say(f"{name}: nothing to delete; what ships with lamo stays")
