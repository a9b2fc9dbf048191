"""`lamo analyse`: what training did to a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamo_core.analysis.parts import MeasuredReliance
from lamo_core.config import unknown_key
from lamo_core.errors import EnvironmentFault, LamoError, UsageError
from lamo_core.model.hub import require_model
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.manage import find_checkpoint
from lamo_core.runs.reliance_file import write_reliance
from lamo_core.runs.target_sweep_file import EPISODES, TARGETS
from lamo_tui.cli import completion
from lamo_tui.cli.analyse.analyse_files import write_findings
from lamo_tui.cli.analyse.analyse_text import print_findings
from lamo_tui.cli.output import console, emit_json
from lamo_tui.cli.progress import progress

PARTS = ("movement", "trunk", "attention", "reliance", "forgetting", "asked")

ANALYSE_EPILOG = (
    "Examples:  lamo analyse last --targets 7   ·   lamo analyse ckpt.pt --part attention --part movement --out found"
    "   ·   lamo analyse scaled:mini --part trunk"
)


def analyse(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CKPT",
            help="A checkpoint file, a run of `lamo runs`, or `last`; with --part trunk alone a language model, too.",
            autocompletion=completion.checkpoints,
        ),
    ],
    part: Annotated[list[str] | None, typer.Option(help=f"Only this: {', '.join(PARTS)}; may be repeated.")] = None,
    targets: Annotated[int, typer.Option(min=2, max=100, help="Returns to ask for, over the data's range.")] = TARGETS,
    episodes: Annotated[int, typer.Option(min=1, max=10_000, help="Episodes per target.")] = EPISODES,
    windows: Annotated[
        int, typer.Option(min=1, max=4096, help="Windows of data that attention and reliance are measured on.")
    ] = 256,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure forgetting on this text [default: the model's own].")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what decides in the run's folder, for `lamo report --part reliance`.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write each part as CSV and as figures (SVG, PNG).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Tell what training did: which parameters moved, where heads look, what decisions are made from, what language
    was forgotten, and whether the policy achieves the returns that it is asked for; and what the trunk makes of inputs.
    """
    from lamo_core.analysis.findings import Analysis

    for name in part or ():
        if name not in PARTS:
            raise unknown_key(name, list(PARTS), "part of an analysis")
    if part == ["trunk"] and not keep and _is_model(checkpoint):
        _analyse_model(checkpoint, out, as_json)
        return
    path, wanted = find_checkpoint(checkpoint), part or list(PARTS)
    if keep and "reliance" not in wanted:
        raise UsageError("--keep keeps what decides: add --part reliance, or leave --part out")
    run = _run_of(path) if keep else None
    with progress() as report:
        analysis = Analysis(path, windows=windows, text=text, progress=report)
        missing = analysis.measure_all(wanted, targets=targets, episodes=episodes, strict=part is not None)
    for name, reason in missing.items():
        console().print(f"left out {name}: {reason}", markup=False)
    read, found = analysis.read, analysis.found
    if run is not None and found.reliance is not None:
        write_reliance(run, MeasuredReliance(read.step, tuple(found.reliance)))
        console().print(f"kept what decides in {run.reliance_file}", markup=False)
    if out is not None:
        console().print(f"wrote {', '.join(write_findings(out, found))} into {out}", markup=False)
    if as_json:
        emit_json({"checkpoint": path, "step": read.step, "method": read.config.method, **found.to_dict()})
    else:
        print_findings(found)
    if code := max(
        (reason.exit_code for reason in missing.values() if isinstance(reason, EnvironmentFault)), default=0
    ):
        raise typer.Exit(code)


def _is_model(name: str) -> bool:
    """Return whether a name is that of a language model and of no run; raises `UsageError` for neither."""
    try:
        find_checkpoint(name)
    except UsageError as no_run:
        try:
            require_model(name)
        except LamoError as no_model:
            raise UsageError(f"{name} is neither a run nor a model: {no_run}; {no_model}") from no_model
        return True
    return False


def _analyse_model(name: str, out: Path | None, as_json: bool) -> None:
    from lamo_core.analysis.findings import Findings
    from lamo_core.analysis.trunk import measure_model

    found = Findings(trunk=(measure_model(name),))
    if out is not None:
        console().print(f"wrote {', '.join(write_findings(out, found))} into {out}", markup=False)
    if as_json:
        emit_json({"model": name, "trunk": found.to_dict()["trunk"]})
    else:
        print_findings(found)


def _run_of(checkpoint: Path) -> RunDirectory:
    run = RunDirectory(checkpoint.absolute().parent.parent)
    if checkpoint.parent.name != run.checkpoints.name or not run.run_file.is_file():
        raise UsageError(f"{checkpoint} is in no run's folder; name a run of `lamo runs` to --keep something there")
    return run
