"""`lamo train`: start a run, detach it, resume it."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lamo_tui.cli import completion
from lamo_tui.cli.output import say
from lamo_tui.cli.parameters import AblationOption, MethodOption, SettingOption

if TYPE_CHECKING:
    from lamo_core.config import RunConfig
    from lamo_core.evaluation.scores import TargetScore
    from lamo_core.presets import Resolved
    from lamo_core.runs.directory import RunDirectory
    from lamo_core.training.session import Session

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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    adopt: Annotated[str | None, typer.Option(hidden=True)] = None,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Train a policy; the first Ctrl-C saves a checkpoint and stops, the second leaves at once."""
    from lamo_core.errors import UsageError
    from lamo_core.shares import parse_share
    from lamo_tui.cli.train.train_plan import show_plan

    share = parse_share(ratio) if ratio is not None else None
    flags = {"seed": seed, "data.ratio": share, "device": device, "precision": precision}
    given = {name: value for name, value in flags.items() if value is not None}
    checkpoint: Path | None = None
    if adopt is not None:
        from lamo_core.runs.queue.detach import adopt as take_over

        run = take_over(adopt)
        resolved = run.read_config()
    elif resume is not None:
        if preset or method or ablation or config or queue or seeds or dry_run:
            raise UsageError("a resumed run keeps its preset and starts at once; change values with --set or flags")
        run, checkpoint, resolved = _resumed(resume, setting or [], given)
    else:
        if preset is None and config is None:
            setting = _by_data(setting or [])
        wanted = Wanted(preset, method, ablation or [], config, setting or [])
        if dry_run:
            return show_plan(preset, [_settled(wanted, flags) for flags in _per_seed(given, seeds)], as_json)
        if queue or seeds is not None:
            return _enqueue(wanted, _per_seed(given, seeds), as_json)
        run, resolved = _created(wanted, given)
    if detach:
        _launch(run, checkpoint, setting or [], given, as_json)
    else:
        raise typer.Exit(_train(run, resolved, checkpoint, as_json=as_json, background=background))


def _by_data(settings: list[str]) -> list[str]:
    """Return settings that a set of data leads to, when there is no preset: its task, its source, a name."""
    from lamo_core.errors import UsageError

    given = {name.strip(): value.strip() for name, _, value in (text.partition("=") for text in settings)}
    if "data.set" not in given and given.get("task.id"):
        task = f"gym:{given['task.id']}"
        raise UsageError(
            f"no data ship for {task}; record some with `lamo data collect {task} --policy random` and train on them "
            "with --set data.set=NAME"
        )
    if "data.set" not in given:
        raise UsageError(
            "say what to train: lamo train --preset NAME (`lamo presets` lists the names), or --set data.set=SET for a "
            "set of `lamo data list`"
        )
    from lamo_core.data.sources.resolve import find_anywhere

    found = find_anywhere(given["data.set"], given.get("data.source"))
    led = [f"name={found.name.replace('/', '-')}"]
    if not {"task.name", "task.id"} & set(given):
        task = found.card()["task"]
        if not task:
            raise UsageError(f"the set {found.name} does not say its task; name it with --set task.name=TASK")
        led.append(f"task.name={task}")
    if found.source not in ("bundled", "collected", "imported"):
        led.append(f"data.source={found.source}")
    return [*led, *settings]


class Wanted(NamedTuple):
    """What a new run is made from, flags aside."""

    preset: str | None
    method: str | None
    ablations: list[str]
    file: Path | None
    settings: list[str]


def _per_seed(flags: dict[str, Any], seeds: str | None) -> list[dict[str, Any]]:
    """Return the flags of every run that is asked for."""
    from lamo_core.errors import UsageError
    from lamo_core.seeds import parse_seeds

    if seeds is not None and "seed" in flags:
        raise UsageError("give --seed or --seeds, not both")
    return [flags] if seeds is None else [flags | {"seed": seed} for seed in parse_seeds(seeds)]


def _enqueue(wanted: Wanted, several: list[dict[str, Any]], as_json: bool) -> None:
    """Make the runs and let them wait for their device."""
    from lamo_core.places import runs_dir
    from lamo_core.runs.queue.waiting import enqueue
    from lamo_tui.cli.output import emit_json
    from lamo_tui.train_process import wait_for_device

    runs = [_created(wanted, given)[0] for given in several]
    entries = [enqueue(run) for run in runs]
    wait_for_device(runs_dir())
    if as_json:
        emit_json({"runs": [run.id for run in runs], "device": entries[0].device})
    else:
        for run in runs:
            say(run.id)


def _created(wanted: Wanted, flags: dict[str, Any]) -> tuple[RunDirectory, RunConfig]:
    from lamo_core.runs.create import create_run

    resolved = _settled(wanted, flags)
    return create_run(None, resolved.config, resolved.origins, sys.argv), resolved.config


def _settled(wanted: Wanted, flags: dict[str, Any]) -> Resolved:
    """Return all settings of a new run; raises an error where a part of it is not here."""
    from lamo_core.presets import resolve
    from lamo_tui.cli.train.train_plan import require_parts

    resolved = resolve(wanted.preset, wanted.ablations, wanted.file, wanted.settings, flags, method=wanted.method)
    require_parts(resolved.config)
    return resolved


def _resumed(text: str, settings: list[str], flags: dict[str, Any]) -> tuple[RunDirectory, Path, RunConfig]:
    from lamo_core.errors import UsageError
    from lamo_core.presets import override
    from lamo_core.runs.directory import RunDirectory, find_run
    from lamo_core.runs.status import ACTIVE, read_state
    from lamo_core.training.checkpoint import read_checkpoint

    path = Path(text)
    if path.suffix == ".pt" and path.is_file() and (path.resolve().parent.parent / "run.json").is_file():
        run, checkpoint = RunDirectory(path.resolve().parent.parent), path
    else:
        run = find_run(text)
        checkpoint = run.last_checkpoint
    _, derived = read_state(run)
    if derived.state in ACTIVE:
        raise UsageError(f"run {run.id} is {derived.state}; stop it first with: lamo stop {run.id}")
    if not checkpoint.is_file():
        raise UsageError(f"run {run.id} has saved no checkpoint yet; start it again with: lamo train --preset NAME")
    stored = read_checkpoint(checkpoint)
    config = override(stored.config, settings, flags)
    if derived.state == "finished" and stored.step >= config.optim.steps and not settings:
        raise UsageError(
            f"run {run.id} has done all of its {stored.step:,} steps; let it do more with "
            f"--set optim.steps={2 * stored.step}, or evaluate it with: lamo eval {run.id}"
        )
    return run, checkpoint, config


def _launch(
    run: RunDirectory, checkpoint: Path | None, settings: list[str], flags: dict[str, Any], as_json: bool
) -> None:
    from lamo_core.runs.queue.detach import launch
    from lamo_tui.cli.output import emit_json
    from lamo_tui.train_process import TRAIN

    command = [*TRAIN]
    if checkpoint is None:
        command += ["--adopt", str(run.path)]
    else:
        command += ["--resume", str(checkpoint)]
        for setting in settings:
            command += ["--set", setting]
        for name, value in flags.items():
            command += ["--set", f"{name}={value}"]
    process = launch(run, command)
    if as_json:
        emit_json({"run": run.id, "path": run.path, "pid": process})
    else:
        say(run.id)


def _train(run: RunDirectory, config: RunConfig, checkpoint: Path | None, *, as_json: bool, background: bool) -> int:
    from lamo_core.runs.control import ControlInbox, Interrupts, RunControls
    from lamo_core.runs.signals import catch_signals
    from lamo_core.runs.writer import RunWriter
    from lamo_core.training.events import EvalDone, Event
    from lamo_tui.cli.output import console
    from lamo_tui.cli.progress import ProgressLine

    outcome: list[EvalDone] = []
    begun: list[Session] = []
    interrupts = Interrupts()
    narration = console()
    # in the background stderr is the run's log, into which the writer narrates already
    progress = ProgressLine(config.eval, stderr=narration, narrated=not background)
    with RunWriter(run, config.eval) as writer, progress as line:
        narration.print(f"run {run.id}", markup=False)

        def announce(signal_name: str) -> None:
            way = "saving a checkpoint after this step" if begun else "stopping before the first step"
            narration.print(f"{signal_name}: {way}; once more leaves at once")

        def stage(name: str, done: int, total: int) -> None:
            writer.stage(name, done, total)
            line.stage(name, done, total)

        def prepare(name: str, done: int, total: int) -> None:
            stage(name, done, total)
            if controls.stop_asked():  # nothing is trained yet, so there is nothing to save
                raise KeyboardInterrupt

        def tell(event: Event) -> None:
            writer.write(event)
            line.write(event)
            if isinstance(event, EvalDone):
                outcome[:] = [event]

        def leave() -> None:
            line.close()
            writer.end("stopped", "left at once, by a second signal")

        inbox = ControlInbox(run.control)
        if checkpoint is not None:  # what is left there was meant for an earlier process
            inbox.discard()
        controls = RunControls(inbox, interrupts, tell, heartbeat=writer.heartbeat)
        with catch_signals(interrupts, announce=announce, leave=leave, detached=background):
            prepare("loading PyTorch and transformers", 0, 0)
            session = _session(config, checkpoint, prepare)
            begun.append(session)
            code = _run(session, run, tell, controls, stage)
    _conclude(run, code, outcome[0].scores if outcome else (), as_json)
    return code


def _session(config: RunConfig, checkpoint: Path | None, prepare: Any) -> Session:
    # imported here, after the first line is on the screen: these take seconds
    warnings.filterwarnings("ignore", category=FutureWarning)
    from lamo_core.training.session import new_session, resume_session

    if checkpoint is not None:
        return resume_session(checkpoint, config, prepare)
    return new_session(config, prepare)


def _run(session: Session, run: RunDirectory, tell: Any, controls: Any, stage: Any) -> int:
    import torch

    from lamo_core.engine import run_session
    from lamo_core.errors import DeviceError

    try:
        return run_session(session, run.checkpoints, [tell], controls, stage, run.replays)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"{session.device} is out of memory; lower optim.micro_batch_size or model.context, or choose a smaller "
            "model.backbone, with --set"
        ) from error


def _conclude(run: RunDirectory, code: int, scores: tuple[TargetScore, ...], as_json: bool) -> None:
    from lamo_core.errors import STOPPED_RESUMABLE
    from lamo_tui.cli.output import console, emit_json

    if as_json:
        emit_json(
            {
                "run": run.id,
                "path": run.path,
                "exit_code": code,
                "checkpoint": run.last_checkpoint,
                "scores": [score.to_dict() for score in scores],
            }
        )
    elif code == 0:
        say(str(run.last_checkpoint))
    if code == STOPPED_RESUMABLE:
        console().print(f"resume with: lamo train --resume {run.id}", markup=False)
