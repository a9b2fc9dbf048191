"""`lamo train`: start a run, detach it, resume it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.engine.run_spec import RunSpec
from lamo_core.errors import STOPPED_RESUMABLE, UsageError
from lamo_core.exchange.mirror import enrol
from lamo_core.exchange.trackers import parse_trackers
from lamo_core.places import runs_dir
from lamo_core.runs.queue.detach import launch
from lamo_core.runs.queue.waiting import enqueue
from lamo_core.runs.signals import catch_signals
from lamo_core.seeds import parse_seeds
from lamo_core.shares import parse_share
from lamo_tui.cli import completion
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.parameters import AblationOption, MethodOption, SettingOption
from lamo_tui.cli.progress import ProgressLine
from lamo_tui.train_process import TRAIN, wait_for_device

if TYPE_CHECKING:
    from rich.console import Console

    from lamo_core.engine.run_spec import RunSpec
    from lamo_core.engine.run_start import Start
    from lamo_core.engine.run_training import Outcome
    from lamo_core.runs.control import Interrupts
    from lamo_core.runs.directory import RunDirectory
    from lamo_tui.cli.progress import ProgressLine

TRAIN_EPILOG = (
    "Examples:  lamo train --preset atari-breakout-1pct   ·   "
    "lamo train --preset mujoco-hopper-1pct --method td3+bc --seed 1 --detach   ·   "
    "lamo train --preset atari-pong --ratio 5% --ablation frozen --dry-run"
)


def train(
    preset: Annotated[
        str | None,
        typer.Option("--preset", "-p", help="What to train; see `lamo presets`.", autocompletion=completion.presets),
    ] = None,
    method: MethodOption = None,
    ablation: AblationOption = None,
    config: Annotated[Path | None, typer.Option("--config", help="A TOML file over the preset.")] = None,
    setting: SettingOption = None,
    seed: Annotated[int | None, typer.Option(help="Drives data subset, weights and windows.")] = None,
    ratio: Annotated[str | None, typer.Option(help="Share of the data's episodes, such as 1% or 0.01.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", autocompletion=completion.devices)
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Continue a run exactly: an id, its beginning, `last`, or a .pt file.",
            autocompletion=completion.checkpoints,
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Train in the background and print the run's id.")] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Train in the background once the device is free; see `lamo queue`.")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option(metavar="0-4", help="Several runs, one per seed, through the queue.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, data, time, memory and disk, and train nothing.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="TRACKERS", help="Mirror the run: tensorboard, wandb, trackio, mlflow."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    adopt: Annotated[str | None, typer.Option(hidden=True)] = None,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Train a policy; the first Ctrl-C saves a checkpoint and stops, the second leaves at once."""
    from lamo_core.engine.run_start import adopted_run, new_run, resumed_run, settle

    trackers = _trackers(log)
    share = parse_share(ratio) if ratio is not None else None
    spec = RunSpec(preset, method, tuple(ablation or ()), config, tuple(setting or ()), seed, share, device, precision)
    if adopt is not None:
        start = adopted_run(adopt)
    elif resume is not None:
        if preset or method or ablation or config or queue or seeds or dry_run:
            raise UsageError("a resumed run keeps its preset and starts at once; change values with --set or flags")
        start = resumed_run(resume, spec.settings, spec.overrides)
    elif dry_run:
        from lamo_tui.cli.train.train_plan import show_plan

        return show_plan(preset, [settle(one) for one in _per_seed(spec, seeds)], as_json)
    elif queue or seeds is not None:
        return _enqueue([new_run(one, sys.argv).run for one in _per_seed(spec, seeds)], trackers, as_json)
    else:
        start = new_run(spec, sys.argv)
    _enrol(start.run, trackers)
    if detach:
        _launch(start, spec, as_json)
    else:
        raise typer.Exit(_train(start, as_json=as_json, background=background))


def _per_seed(spec: RunSpec, seeds: str | None) -> list[RunSpec]:
    """Return every run that is asked for."""
    if seeds is not None and spec.seed is not None:
        raise UsageError("give --seed or --seeds, not both")
    return [spec] if seeds is None else spec.with_seeds(parse_seeds(seeds))


def _trackers(log: str | None) -> list[str]:
    """Return the trackers that are asked for; raises `UsageError` or `MissingError` before a run is made."""
    if log is None:
        return []

    return parse_trackers(log)


def _enrol(run: RunDirectory, trackers: list[str]) -> None:
    """Have a run mirrored by whatever process trains it, now and when it is resumed."""
    if trackers:
        enrol(run, trackers)


def _enqueue(runs: list[RunDirectory], trackers: list[str], as_json: bool) -> None:
    """Let new runs wait for their device."""
    for run in runs:
        _enrol(run, trackers)
    entries = [enqueue(run) for run in runs]
    wait_for_device(runs_dir())
    if as_json:
        emit_json({"runs": [run.id for run in runs], "device": entries[0].device})
    else:
        for run in runs:
            say(run.id)


def _launch(start: Start, spec: RunSpec, as_json: bool) -> None:
    """Let a process of its own train: a new run, or one that goes on."""
    run, command = start.run, [*TRAIN]
    if not start.resumed:
        command += ["--adopt", str(run.path)]
    else:
        command += ["--resume", str(start.checkpoint or run.path)]
        for setting in (*spec.settings, *(f"{name}={value}" for name, value in spec.overrides.items())):
            command += ["--set", setting]
    process = launch(run, command)
    if as_json:
        emit_json({"run": run.id, "path": run.path, "pid": process})
    else:
        say(run.id)


class _Terminal:
    """Shows a run on stderr."""

    def __init__(self, line: ProgressLine, narration: Console) -> None:
        self.write, self.stage, self.close = line.write, line.stage, line.close
        self._narration = narration

    def say(self, text: str) -> None:
        self._narration.print(text, markup=False)


def _train(start: Start, *, as_json: bool, background: bool) -> int:
    from lamo_core.engine.run_training import train_run

    def signals(
        interrupts: Interrupts, announce: Callable[[str], None], leave: Callable[[], None]
    ) -> AbstractContextManager[Interrupts]:
        return catch_signals(interrupts, announce=announce, leave=leave, detached=background)

    narration = console()
    # in the background stderr is the run's log, into which the writer narrates already
    with ProgressLine(start.config.eval, stderr=narration, narrated=not background) as line:
        outcome = train_run(start, _Terminal(line, narration), signals)
    _conclude(start.run, outcome, as_json)
    return outcome.code


def _conclude(run: RunDirectory, outcome: Outcome, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "run": run.id,
                "path": run.path,
                "exit_code": outcome.code,
                "checkpoint": run.last_checkpoint,
                "scores": [score.to_dict() for score in outcome.scores],
            }
        )
    elif outcome.code == 0:
        say(str(run.last_checkpoint))
    if outcome.code == STOPPED_RESUMABLE:
        console().print(f"resume with: lamo train --resume {run.id}", markup=False)
