"""What an analysis writes: every part as CSV and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamo_core.errors import MissingError
from lamo_core.evaluation.intervals import without_points
from lamo_core.files import write_bytes
from lamo_tui.cli.analyse.analyse_text import trunk_columns
from lamo_tui.csv_text import csv_text
from lamo_tui.figures import analysis_figures as figures
from lamo_tui.figures.drawing import save_sheet

if TYPE_CHECKING:
    from lamo_core.analysis.findings import Findings
    from lamo_core.analysis.trunk import TrunkMeasure
    from lamo_tui.figures.drawing import Sheet


def write_findings(folder: Path, found: Findings) -> list[str]:
    """Write the parts that were found out; returns the names of the files. Raises `StorageError`."""
    rows: dict[str, Sequence[dict[str, Any]]] = {}
    sheets: dict[str, Sheet] = {}
    _gather(found, rows, sheets)
    for name, values in rows.items():
        write_bytes(folder / f"{name}.csv", _csv(values).encode(), "another --out FOLDER")
    written = [f"{name}.csv" for name in rows]
    for name, sheet in sheets.items():
        for ending in (".svg", ".png"):
            try:
                save_sheet(sheet, folder / f"{name}{ending}")
            except MissingError:  # no pillow
                continue
            written.append(f"{name}{ending}")
    return written


def _gather(found: Findings, rows: dict[str, Sequence[dict[str, Any]]], sheets: dict[str, Sheet]) -> None:
    """Put the rows and figures of every part that was found out into the dictionaries, by name."""
    if found.movement is not None:
        rows["movement"] = [asdict(row) for row in found.movement]
        sheets["movement"] = figures.movement_figure(found.movement)
    if found.attention is not None and found.uniform is not None:
        rows["attention"] = [asdict(head) for head in found.attention]
        sheets["attention"] = figures.attention_figure(found.attention, found.uniform[0])
    if found.reliance is not None:
        rows["reliance"] = [asdict(row) for row in found.reliance]
        sheets["reliance"] = figures.reliance_figure(found.reliance)
    if found.forgetting is not None:
        rows["forgetting"] = [asdict(point) for point in found.forgetting]
        sheets["forgetting"] = figures.forgetting_figure(found.forgetting)
    if found.asked is not None:
        kept = ("target", "episodes", "mean", "low", "high", "normalised", "length_mean")
        rows["asked"] = [{name: getattr(score, name) for name in kept} for score in found.asked.scores]
        sheets["asked"] = figures.asked_figure(found.asked)
    if found.trunk is not None:
        rows["trunk"] = _growth(found.trunk)


def _growth(measures: Sequence[TrunkMeasure]) -> list[dict[str, Any]]:
    blocks = zip(*(measure.growth for measure in measures), strict=True)
    return [
        {"block": block, **dict(zip(trunk_columns(measures), sizes, strict=True))}
        for block, sizes in enumerate(blocks, start=1)
    ]


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    plain = without_points(list(rows))
    columns = list(rows[0]) if rows else []
    return csv_text(columns, [[row[name] for name in columns] for row in plain])
