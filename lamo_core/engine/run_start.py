"""Beginning of a run: its settings complete, its parts here, its folder made or found again.

Nothing here loads PyTorch, but for a run that is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamo_core.data.checks.compatibility import check_task
from lamo_core.data.source_names import HERE
from lamo_core.data.sources.resolve import find_anywhere, find_set
from lamo_core.data.sources.source import published_source
from lamo_core.engine.run_spec import RunSpec
from lamo_core.errors import UsageError
from lamo_core.methods import METHODS, require_fit
from lamo_core.model.hub import require_model, require_table
from lamo_core.runs.compare import config_difference
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory, find_run
from lamo_core.runs.queue.detach import adopt
from lamo_core.runs.status import ACTIVE, has_begun, read_state
from lamo_core.settings.presets import Resolved, override
from lamo_core.tasks.registry import task_of
from lamo_core.tasks.requirements import require_environment
from lamo_core.wording import counted

if TYPE_CHECKING:
    from lamo_core.config import RunConfig


@dataclass(frozen=True)
class Start:
    """Where training begins: a new run, or one that goes on from a checkpoint."""

    run: RunDirectory
    config: RunConfig
    checkpoint: Path | None = None
    """None where nothing was trained yet."""
    resumed: bool = False
    """Whether an earlier process has had it."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """Settings that are others from here on."""


def settle(spec: RunSpec) -> Resolved:
    """Return all settings of a new run; raises an error where a part of it is not here."""
    if spec.preset is None and spec.file is None:
        spec = _named_by_data(spec)
    resolved = spec.resolve()
    require_parts(resolved.config)
    return resolved


def new_run(spec: RunSpec, argv: Sequence[str], root: Path | None = None) -> Start:
    """Make the folder of a new run; raises as `settle`, and `StorageError`. `argv` is the command to note down."""
    resolved = settle(spec)
    return Start(create_run(root, resolved.config, resolved.origins, argv), resolved.config)


def resumed_run(text: str, settings: Sequence[str], flags: Mapping[str, Any], root: Path | None = None) -> Start:
    """Return where the run or checkpoint `text` goes on, with some settings changed; raises `UsageError`."""
    from lamo_core.training.checkpoint import read_checkpoint

    path = Path(text)
    if path.suffix == ".pt" and path.is_file() and (path.resolve().parent.parent / "run.json").is_file():
        run, checkpoint = RunDirectory(path.resolve().parent.parent), path
    else:
        run = find_run(text, root)
        checkpoint = run.last_checkpoint
    status, derived = read_state(run)
    if derived.state in ACTIVE:
        raise UsageError(f"run {run.id} is {derived.state}; stop it first with: lamo stop {run.id}")
    if not checkpoint.is_file():
        if not has_begun(run, status):  # it begins as it was set up
            return Start(run, override(run.read_config(), settings, flags), resumed=True)
        raise UsageError(f"run {run.id} has no checkpoint to go on from; start it again with: lamo train --preset NAME")
    stored = read_checkpoint(checkpoint)
    config = override(stored.config, settings, flags)
    if derived.state == "finished" and stored.step >= config.optim.steps and not settings:
        raise UsageError(
            f"run {run.id} has done all of its {counted(stored.step, 'step')}; let it do more with "
            f"--set optim.steps={2 * stored.step}, or evaluate it with: lamo eval {run.id}"
        )
    difference = config_difference([stored.config.to_dict(), config.to_dict()])
    changed = {name: value for name, (_, value) in difference.items()}
    return Start(run, config, checkpoint, resumed=True, changed=changed)


def adopted_run(folder: str) -> Start:
    """Return a run that another process has made for this one to train; raises `UsageError`."""
    run = adopt(folder)
    return Start(run, run.read_config())


def require_parts(config: RunConfig) -> None:
    """Refuse what cannot be trained here before a run's folder is made: method, environment, data, model, device."""
    require_files(config)
    if config.device not in ("auto", "cpu"):
        from lamo_core.training.device import resolve_device

        resolve_device(config.device)


def require_files(config: RunConfig) -> None:
    """Refuse what cannot be trained on any device of this machine: by its method, environment, data or model."""
    task = task_of(config.task)
    require_fit(config.method, task.action_kind)
    if config.eval.every or config.eval.final_episodes:
        require_environment(task)
    if config.data.source in HERE or not published_source(config.data.source).converted_when_opened:
        found = find_set(config.data.source, config.data.set)
        check_task(found.card(), config.data.set, config.data, config.task)
    if METHODS[config.method].memory:
        require_model(config.model.backbone)
        require_table(config.model)


def _named_by_data(spec: RunSpec) -> RunSpec:
    """Return a run without a preset with the settings that its data lead to: their task, their source, a name."""
    given = {name.strip(): value.strip() for name, _, value in (text.partition("=") for text in spec.settings)}
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
    found = find_anywhere(given["data.set"], given.get("data.source"))
    led = [f"name={found.name.replace('/', '-')}"]
    if not {"task.name", "task.id"} & set(given):
        task = found.card()["task"]
        if not task:
            raise UsageError(f"the set {found.name} does not say its task; name it with --set task.name=TASK")
        led.append(f"task.name={task}")
    if found.source not in ("bundled", "collected", "imported"):
        led.append(f"data.source={found.source}")
    return replace(spec, settings=(*led, *spec.settings))
