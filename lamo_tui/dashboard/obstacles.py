"""What keeps a new run from working on this machine, found out before it is made and without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from lamo_core.config import MethodName
from lamo_core.engine.run_spec import METHOD, RunSpec
from lamo_core.engine.run_start import require_files
from lamo_core.errors import DeviceError, LamoError
from lamo_core.methods import require_fit
from lamo_core.runs.queue.devices import absent_device
from lamo_core.settings.preset_parts import require_variant, shortest_name
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.requirements import require_environment
from lamo_tui.dashboard.new_run_model import NewRuns


def require_startable(spec: RunSpec) -> None:
    """Raise the `LamoError` that says what a run lacks on this machine: environment, data, model or device."""
    config = spec.resolve().config
    require_files(config)
    if reason := absent_device(config.device):
        raise DeviceError(reason)


def obstacle(choice: NewRuns) -> str:
    """Return why a choice cannot run here; empty where it can."""
    return _said(lambda: require_startable(choice.run(choice.seeds[0])))


def option_obstacles(choice: NewRuns, name: str, options: Sequence[str]) -> Mapping[str, str]:
    """Return why options of a list of the New run screen cannot be taken, for those that cannot.

    Each is blamed for what it lacks itself, not for what the rest of the choice does.
    """
    found = {option: _OBSTACLES[name](choice, option) for option in options} if name in _OBSTACLES else {}
    return {option: reason for option, reason in found.items() if reason}


def _task(choice: NewRuns, task: str) -> str:
    return _said(lambda: require_environment(get_task(task)))


def _method(choice: NewRuns, method: str) -> str:
    def check() -> None:
        require_fit(cast(MethodName, method), get_task(choice.parts.task).action_kind)

    return _said(check)


def _device(choice: NewRuns, device: str) -> str:
    return absent_device(device)


def _variant(choice: NewRuns, variant: str) -> str:
    parts = choice.parts
    if reason := _said(lambda: require_variant(parts.task, variant)):
        return reason
    return _beyond_task(RunSpec(shortest_name(parts.task, choice.ratio, variant)), parts.task)


def _ablation(choice: NewRuns, ablation: str) -> str:
    base = replace(choice.spec, ablations=(), settings=(), method=None if choice.method == METHOD else choice.method)
    task = choice.parts.task
    return "" if _beyond_task(base, task) else _beyond_task(replace(base, ablations=(ablation,)), task)


def _beyond_task(spec: RunSpec, task: str) -> str:
    """Return what a run lacks, other than the environment of its task and its device."""
    return "" if _task(NewRuns(), task) else _said(lambda: require_files(spec.resolve().config))


def _said(check: Callable[[], None]) -> str:
    try:
        check()
    except LamoError as error:
        return str(error)
    return ""


_OBSTACLES = {"task": _task, "method": _method, "device": _device, "variant": _variant, "ablation": _ablation}
