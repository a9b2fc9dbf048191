"""`lamo analyse`: what training did to a policy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.analysis.parts import MeasuredReliance, Reliance
from lamo_core.errors import MissingError, UsageError
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.reliance_file import write_reliance
from lamo_core.runs.target_sweep_file import EPISODES, TARGETS
from lamo_tui.cli.parameters import CheckpointArgument

if TYPE_CHECKING:
    from lamo_core.analysis.attention import HeadChange
    from lamo_core.analysis.forgetting import LanguageLoss
    from lamo_core.analysis.movement import Movement
    from lamo_core.analysis.target_sweep import Asking
    from lamo_core.data.windows import WindowBatch
    from lamo_core.training.checkpoint import Checkpoint

PARTS = ("movement", "attention", "reliance", "forgetting", "asked")

ANALYSE_EPILOG = (
    "Examples:  lamo analyse last --targets 7   ·   lamo analyse ckpt.pt --part attention --part movement --out found"
)


@dataclass
class Findings:
    """What was found out; None for what a policy does not have or nobody asked for."""

    movement: list[Movement] | None = None
    attention: list[HeadChange] | None = None
    uniform: tuple[float, float] | None = None
    """The masses of a head that attends to everything alike: on the newest token, on the newest step."""
    reliance: list[Reliance] | None = None
    forgetting: list[LanguageLoss] | None = None
    asked: Asking | None = None


def analyse(
    checkpoint: CheckpointArgument,
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
    was forgotten, and whether the policy achieves the returns that it is asked for.
    """
    from lamo_core.config import unknown_key
    from lamo_core.runs.manage import find_checkpoint
    from lamo_tui.cli.output import console, emit_json

    for name in part or ():
        if name not in PARTS:
            raise unknown_key(name, list(PARTS), "part of an analysis")
    path, wanted = find_checkpoint(checkpoint), part or list(PARTS)
    if keep and "reliance" not in wanted:
        raise UsageError("--keep keeps what decides: add --part reliance, or leave --part out")
    run = _run_of(path) if keep else None
    subject, found = _Subject(path, windows), Findings()
    read = subject.read
    for name in wanted:
        try:
            _find(found, name, subject, (targets, episodes), text)
        except (MissingError, UsageError) as error:
            if part:
                raise
            console().print(f"left out {name}: {error}", markup=False)
    if run is not None and found.reliance is not None:
        write_reliance(run, MeasuredReliance(read.step, tuple(found.reliance)))
        console().print(f"kept what decides in {run.reliance_file}", markup=False)
    if out is not None:
        from lamo_tui.cli.analyse.analyse_files import write_findings

        console().print(f"wrote {', '.join(write_findings(out, found))} into {out}", markup=False)
    if as_json:
        emit_json({"checkpoint": path, "step": read.step, "method": read.config.method, **_plain(found)})
    else:
        from lamo_tui.cli.analyse.analyse_text import print_findings

        print_findings(found)


def _run_of(checkpoint: Path) -> RunDirectory:
    run = RunDirectory(checkpoint.absolute().parent.parent)
    if checkpoint.parent.name != run.checkpoints.name or not run.run_file.is_file():
        raise UsageError(f"{checkpoint} is in no run's folder; name a run of `lamo runs` to --keep something there")
    return run


class _Subject:
    """A checkpoint, its policy in evaluation mode and windows of its data, each made once and only if wanted."""

    def __init__(self, path: Path, windows: int) -> None:
        from lamo_core.training.checkpoint import read_checkpoint

        self.path, self.read = path, read_checkpoint(path)
        self._windows = windows

    @cached_property
    def policy(self) -> Any:
        import torch

        from lamo_core.training.checkpoint import build_policy

        policy, _ = build_policy(self.read, torch.device("cpu"))
        return policy.eval()

    @cached_property
    def batch(self) -> WindowBatch:
        """Windows of the data trained on, the same every time."""
        from lamo_core.data.sources import open_data
        from lamo_core.data.windows import WindowSampler
        from lamo_core.training.streams import numpy_stream
        from lamo_tui.cli.output import progress

        config = self.read.config
        with progress() as report:
            store = open_data(config.data, config.task, config.seed, report)
        sampler = WindowSampler(
            store,
            context=config.model.context,
            return_to_go=config.model.return_to_go,
            rewards=config.data.rewards,
            return_scale=self.read.statistics.return_scale,
            frame_shift=0,
            generator=numpy_stream(config.seed, "analysis"),
            values=config.model.q_weight > 0,
        )
        return sampler.sample(self._windows)


def _find(found: Findings, name: str, subject: _Subject, counts: tuple[int, int], text: Path | None) -> None:
    if name == "movement":
        found.movement = _movement(subject)
    elif name == "attention":
        found.attention, found.uniform = _attention(subject)
    elif name == "reliance":
        found.reliance = _reliance(subject)
    elif name == "forgetting":
        from lamo_core.analysis.forgetting import kept_checkpoints, language_losses

        _need_memory(subject.read, "language to forget")
        found.forgetting = language_losses(kept_checkpoints(subject.path), text)
    else:
        found.asked = _asked(subject, *counts)


def _need_memory(read: Checkpoint, what: str) -> None:
    from lamo_core.methods import METHODS

    if not METHODS[read.config.method].memory:
        raise UsageError(f"{read.config.method} has no trunk, so it has no {what}")


def _movement(subject: _Subject) -> list[Movement]:
    from lamo_core.analysis.movement import movements
    from lamo_core.analysis.start import initial_policy

    return movements(subject.policy, initial_policy(subject.read))


def _attention(subject: _Subject) -> tuple[list[HeadChange], tuple[float, float]]:
    from lamo_core.analysis.attention import head_changes, head_masses, uniform_masses
    from lamo_core.analysis.start import initial_policy

    read = subject.read
    _need_memory(read, "attention")
    masses = [head_masses(each, subject.batch) for each in (initial_policy(read), subject.policy)]  # type: ignore[arg-type]
    if not masses[0]:
        raise UsageError(f"the attention of {read.backbone_name} cannot be measured")
    return head_changes(*masses), uniform_masses(subject.batch)


def _reliance(subject: _Subject) -> list[Reliance]:
    from lamo_core.analysis.reliance import reliances

    _need_memory(subject.read, "earlier steps to rely on")
    return reliances(subject.policy, subject.batch)


def _asked(subject: _Subject, targets: int, episodes: int) -> Asking:
    from lamo_core.analysis.target_sweep import ask
    from lamo_tui.cli.output import progress

    policy, read = subject.policy, subject.read
    if not policy.follows_targets:
        raise UsageError(f"{read.config.method} is told no return, so it cannot be asked for one")
    with progress() as report:
        return ask(
            policy,
            read.config,
            read.data,
            targets,
            episodes,
            progress=lambda done, total, steps: report("playing", done, total),
        )


def _plain(found: Findings) -> dict[str, Any]:
    asked = found.asked
    return {
        "movement": None if found.movement is None else [asdict(row) for row in found.movement],
        "attention": None
        if found.attention is None or found.uniform is None
        else {
            "uniform_token": found.uniform[0],
            "uniform_step": found.uniform[1],
            "heads": [asdict(head) for head in found.attention],
        },
        "reliance": None if found.reliance is None else [asdict(row) for row in found.reliance],
        "forgetting": None if found.forgetting is None else [asdict(point) for point in found.forgetting],
        "asked": None
        if asked is None
        else {
            "data_low": asked.data_low,
            "data_high": asked.data_high,
            "rank_correlation": asked.rank_correlation,
            "scores": [score.to_dict() for score in asked.scores],
        },
    }
