"""What a report writes: blocks of a Markdown file, tables as CSV, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamo_core.errors import MissingError, UsageError
from lamo_core.evaluation.intervals import without_points
from lamo_core.files import write_bytes
from lamo_core.reports.cells import Cell
from lamo_tui.csv_text import csv_text
from lamo_tui.figures.drawing import save_sheet
from lamo_tui.figures.report_figures import report_figures

_ELSEWHERE = "another --out FOLDER"


def markers(block: str) -> tuple[str, str]:
    """Return the lines around a block of a Markdown file; the block without a name is `results` itself."""
    name = f"results:{block}" if block else "results"
    return f"<!-- {name}:start -->", f"<!-- {name}:end -->"


def update_block(path: Path, block: str, text: str) -> None:
    """Replace what lies between the markers of a block; raises `UsageError` when they are not there."""
    start, end = markers(block)
    try:
        old = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"could not read {path}: {getattr(error, 'strerror', None) or error}") from error
    before, found, rest = old.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(f"{path} has no place for the table; put the lines {start} and {end} into it")
    write_bytes(path, f"{before}{start}\n{text}\n{end}{after}".encode(), "--update FILE")


def cells_csv(cells: Sequence[Cell]) -> str:
    """Return one line per cell, all numbers unrounded."""
    columns = ["task", "ratio", "method", "backbone", "data", "steps", "seeds", "mean", "mean_low", "mean_high"]
    columns += ["iqm", "iqm_low", "iqm_high", "window", "best", "raw", "data_mean", "targets"]
    rows = []
    for cell in cells:
        told = without_points({name: getattr(cell, name) for name in columns})
        values = [len(cell.seeds) if name == "seeds" else told[name] for name in columns]
        paper = [None, None, None] if cell.paper is None else [cell.paper.mean, cell.paper.deviation, cell.paper.table]
        rows.append([*values, *paper, cell.papers_data])
    return csv_text([*columns, "paper", "paper_deviation", "paper_table", "papers_data"], rows)


def runs_csv(cells: Sequence[Cell]) -> str:
    """Return one line per run: what the cells were made from."""
    measured = ("seed", "run", "final", "window", "best", "evaluations")
    metrics = sorted({name for cell in cells for seed in cell.seeds for name in seed.metrics})
    rows: list[list[object]] = []
    for cell in cells:
        for seed in cell.seeds:
            scores = [*(getattr(seed, name) for name in measured), *(seed.metrics.get(name) for name in metrics)]
            episodes = " ".join(f"{score:.6g}" for score in seed.episodes)
            rows.append([cell.task, cell.ratio, cell.method, *scores, episodes])
    return csv_text(["task", "ratio", "method", *measured, *metrics, "episodes"], rows)


def write_report(folder: Path, markdown: str, cells: Sequence[Cell], baseline: str | None) -> list[str]:
    """Write report.md, cells.csv, runs.csv and the figures into a folder; returns the names of the files.

    PNG figures are left out without pillow. Raises `StorageError`.
    """
    figures = report_figures(cells, baseline)
    pictures = "\n".join(f"![{sheet.title}]({name}.svg)" for name, sheet in figures.items())
    texts = {"report.md": f"{markdown}\n\n{pictures}\n", "cells.csv": cells_csv(cells), "runs.csv": runs_csv(cells)}
    for name, text in texts.items():
        write_bytes(folder / name, text.encode(), _ELSEWHERE)
    written = list(texts)
    for name, sheet in figures.items():
        for ending in (".svg", ".png"):
            try:
                save_sheet(sheet, folder / f"{name}{ending}")
            except MissingError:
                continue
            written.append(f"{name}{ending}")
    return written
