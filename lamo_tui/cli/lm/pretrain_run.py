"""The training of a language model, as a terminal shows it: its shape settled, its events printed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lamo_core.errors import STOPPED_RESUMABLE, UsageError
from lamo_core.language.pretrain import pretrain
from lamo_core.language.pretrain_events import PretrainConfig, PretrainSaved, PretrainStep, PretrainStopped
from lamo_core.model.hub import shape_of
from lamo_core.places import models_dir
from lamo_core.runs.control import Interrupts
from lamo_core.runs.signals import catch_signals
from lamo_core.training.device import resolve_device
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.format import duration

_SECONDS_BETWEEN_LINES = 10.0


def shaped(config: PretrainConfig, model: str | None, given: Mapping[str, int]) -> PretrainConfig:
    """Return the settings with a model's shape, if one is named, but for what was given, and with a device.

    Raises `UsageError` and `DeviceError`.
    """
    shape = {**_shape(model), **given}
    return replace(
        config,
        layers=shape.get("layers", config.layers),
        width=shape.get("width", config.width),
        heads=shape.get("heads", config.heads),
        sequence=shape.get("sequence", config.sequence),
        device=str(resolve_device(config.device)),
    )


def _shape(name: str | None) -> dict[str, int]:
    """Return layers, width, heads and length of a GPT-2-shaped model; raises `UsageError` for another family."""
    if name is None:
        return {}
    shape = shape_of(name)
    if shape["model_type"] != "gpt2":
        raise UsageError(f"{name} is of the family {shape['model_type']!r}; --shape takes GPT-2's, such as mini")
    keys = {"layers": "n_layer", "width": "n_embd", "heads": "n_head", "sequence": "n_positions"}
    return {key: int(shape[there]) for key, there in keys.items()}


def run_pretraining(text: Path | None, out: Path, config: PretrainConfig, *, as_json: bool) -> int:
    """Train, and show the events of the training; returns the exit code. Raises `LamoError`."""
    narrator, shown, step, saved, reason = console(), 0.0, None, None, ""

    def announce(signal: str) -> None:
        narrator.print(f"{signal}: finishing this step and saving; once more leaves at once")

    with catch_signals(Interrupts(), announce=announce, leave=lambda: None) as interrupts:
        for event in pretrain(text, out, config, stop=lambda: interrupts.stop is not None):
            if isinstance(event, PretrainStep):
                step = event
                if time.monotonic() - shown > _SECONDS_BETWEEN_LINES:
                    shown = time.monotonic()
                    narrator.print(_line(event))
            elif isinstance(event, PretrainSaved):
                saved = event
                narrator.print(f"step {event.step}: saved, held-out loss {event.held_out_loss:.3f}")
            elif isinstance(event, PretrainStopped):
                reason = event.reason
    if as_json:
        emit_json(_outcome(reason, step, saved))
    if reason == "stop":
        narrator.print("stopped; the same command goes on from here")
        return STOPPED_RESUMABLE
    if not as_json:
        say(f"{out} is ready; use it with --set model.backbone={_backbone(out)}")
    return 0


def _backbone(folder: Path) -> str:
    """Return what model.backbone calls a folder: a name where a name will do."""
    return folder.name if folder.parent == models_dir() else str(folder)


def _line(step: PretrainStep) -> str:
    left = step.elapsed * (1 - step.progress) / max(step.progress, 1e-9)
    return (
        f"step {step.step}/{step.steps}  {step.progress:.0%}  loss {step.loss:.3f}  "
        f"{step.tokens / step.elapsed:,.0f} tokens/s  {duration(left)} left"
    )


def _outcome(reason: str, step: PretrainStep | None, saved: PretrainSaved | None) -> dict[str, object]:
    return {
        "reason": reason,
        "step": saved.step if saved else 0,
        "folder": str(saved.folder) if saved else None,
        "held_out_loss": saved.held_out_loss if saved else None,
        "tokens_per_second": step.tokens / step.elapsed if step else None,
    }
