"""Results of runs in one small file: all that a report needs, without the runs.

One JSON object a line. A line with `format` begins a part and holds the default settings that the lines below it leave
out; every other line is one run (`results.gather`). Files that are joined line by line stay valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.errors import DataError, UsageError
from lamo_core.files import write_bytes
from lamo_core.reports.results import Record, RunResult, result_of
from lamo_core.runs.compare import flatten
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunSummary
from lamo_core.runs.labels import Origins
from lamo_core.runs.records import decode, encode
from lamo_core.runs.status import Derived, EvalPoint, Status
from lamo_core.tasks.registry import get_task

FORMAT = "lamo-results"
SCHEMA = 1
_LARGEST = 256 << 20
_LONGEST_LINE = 4 << 20
_AGAIN = "write it again with: lamo report RUNS --save-results FILE"


def read_results(path: Path) -> list[Record]:
    """Return the records of a file of results, each checked and with all settings it was written with.

    Raises `UsageError` when there is no such file and `DataError` for one that is cut, damaged, of another kind or of a
    newer version.
    """
    records: list[Record] = []
    defaults: Mapping[str, Any] | None = None
    for number, line in _lines(path):
        values = decode(line)
        if values is None:
            raise DataError(f"{path} is cut or damaged at line {number}; {_AGAIN}")
        if "format" in values:
            defaults = _defaults(path, number, values)
        elif defaults is None:
            raise DataError(f"{path} is no file of results; {_AGAIN}")
        else:
            records.append(_checked(path, number, values, defaults))
    if defaults is None:
        raise DataError(f"{path} is empty; {_AGAIN}")
    return records


def merge(records: Iterable[Record]) -> list[Record]:
    """Return every run once, oldest first; of a run that went on after it was saved the longer one counts, and of equal
    ones the one that tells more, such as what decisions are made from.

    Raises `DataError` for two results that differ and claim to be the same run.
    """
    found: dict[str, Record] = {}
    for record in records:
        known = found.setdefault(record["id"], record)
        if known["steps"] < record["steps"]:
            found[record["id"]] = record
        elif known["steps"] == record["steps"]:
            found[record["id"]] = _fuller(known, record)
    return [found[name] for name in sorted(found)]


def _fuller(known: Record, record: Record) -> Record:
    """Return the one of two results of a run that tells more; raises `DataError` when they differ."""
    ours, theirs = result_of(known), result_of(record)
    if _measured(ours) != _measured(theirs) or (ours.reliance and theirs.reliance and ours.reliance != theirs.reliance):
        raise DataError(f"two results of run {record['id']} differ; keep the file that holds the right one")
    return max(known, record, key=lambda one: result_of(one).reliance is not None)


def _measured(result: RunResult) -> RunResult:
    """Return a result without what a run tells of the same evaluation later on, or in a later version."""
    return replace(result, reliance=None, method="", seconds=0.0, rate=0.0, continued=False)


def write_results(path: Path, records: Iterable[Record]) -> None:
    """Write a file of results atomically; raises `StorageError`."""
    defaults = flatten(RunConfig().to_dict())
    lines: list[Record] = [{"format": FORMAT, "schema": SCHEMA, "defaults": defaults}]
    for record in records:
        own = {name: value for name, value in record["settings"].items() if defaults.get(name) != value}
        lines.append({**record, "settings": own})
    write_bytes(path, "".join(encode(line) + "\n" for line in lines).encode(), "another --save-results FILE")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and the content of lines that are not empty; the last one must have its end, too."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} is larger than any file of results; {_AGAIN}")
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    raise DataError(f"{path} is cut or damaged at line {number}; {_AGAIN}")
                if line.strip():
                    yield number, line
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror or error}") from error


def _defaults(path: Path, number: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
    schema, defaults = values.get("schema"), values.get("defaults")
    if values["format"] != FORMAT or type(schema) is not int or not isinstance(defaults, dict):
        raise DataError(f"{path} is no file of results (line {number}); {_AGAIN}")
    if schema > SCHEMA:
        raise DataError(f"{path} comes from a newer version of lamo; update lamo to read it")
    return defaults


def _checked(path: Path, number: int, values: Record, defaults: Mapping[str, Any]) -> Record:
    try:
        settings = values.get("settings")
        if not isinstance(settings, dict):
            raise ValueError("settings are missing")
        record = {**values, "settings": {**defaults, **settings}}
        as_summary(record)
    except KeyError as error:
        raise DataError(f"line {number} of {path} is no result of a run (without {error}); {_AGAIN}") from error
    except (ValueError, UsageError) as error:
        raise DataError(f"line {number} of {path} is no result of a run ({error}); {_AGAIN}") from error
    return record


def as_summary(record: Record) -> RunSummary:
    """Return a record as a finished run of a list, so that the same words pick both."""
    result = result_of(record)
    mean = sum(result.returns) / len(result.returns)
    point = EvalPoint(result.steps, mean, get_task(result.task).normalised(mean))
    return RunSummary(
        run=RunDirectory(Path(result.id)),
        name=str(record["name"]),
        created=0.0,
        config=record["settings"],
        origins=Origins.from_record(record.get("origins")),
        status=Status("finished", step=result.steps, device=str(record["device"]), evaluations=(point,), final=point),
        derived=Derived("finished"),
    )
