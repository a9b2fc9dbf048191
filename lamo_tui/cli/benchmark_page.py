"""`lamo benchmark page`: the measured tables of docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamo_core.config import unknown_key
from lamo_tui.cli.output import say
from lamo_tui.cli.progress import progress

PAGE_EPILOG = (
    "Examples:  lamo benchmark page   ·   lamo benchmark page --only steps   ·   "
    "lamo benchmark page --update docs/performance.md --threads 1"
)

GPU_EPILOG = "Examples:  lamo benchmark gpu   ·   lamo benchmark gpu --update docs/performance.md"

UpdateOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Put each table between its markers in this file, instead of printing it."),
]
RoundsOption = Annotated[int, typer.Option(min=1, metavar="N", help="Measurements, or pairs of them, in each row.")]


def page(
    update: UpdateOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="steps, tokens, acting, start, growth or gpu; repeatable."),
    ] = None,
    rounds: RoundsOption = 5,
    threads: Annotated[
        int, typer.Option(min=0, metavar="N", help="Threads of PyTorch on the CPU; 0 leaves its choice.")
    ] = 0,
) -> None:
    """Measure the tables of the page on performance, each row in pairs."""
    import torch

    from lamo_tui.benchmarks.page import SECTIONS, conditions
    from lamo_tui.cli.report.report_files import update_block

    for name in only or []:
        if name not in SECTIONS:
            raise unknown_key(name, list(SECTIONS), "table")
    if threads:
        torch.set_num_threads(threads)
    wanted = only or list(SECTIONS)
    with progress() as report:
        for number, name in enumerate(wanted):
            report(f"measuring {name}", number, len(wanted))
            text = f"{SECTIONS[name](rounds)}\n\n{conditions()}"
            if update is not None:
                update_block(update, name, text)
            else:
                say(f"{name}\n\n{text}\n")


def gpu(update: UpdateOption = None, rounds: RoundsOption = 20) -> None:
    """Steps and decisions on a CUDA device, by precision, with memory."""
    page(update=update, only=["gpu"], rounds=rounds)
