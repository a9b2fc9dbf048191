"""Training events as sentences, for logs and consoles."""

from __future__ import annotations

from lamo_core.evaluation.intervals import bracketed
from lamo_core.evaluation.metrics import TITLES
from lamo_core.runs.evaluations import shown_value
from lamo_core.training.events import (
    Changed,
    CheckpointSaved,
    EvalDone,
    EvalFailed,
    Event,
    Note,
    Paused,
    Resumed,
    Started,
    Stopped,
)
from lamo_core.wording import counted


def narrate(event: Event) -> str:
    """Return one line of text about an event; empty for steps, too many, and for what the next event tells."""
    match event:
        case Started():
            return _started(event)
        case EvalDone():
            return _evaluated(event)
        case EvalFailed():
            # of the final one the run's end tells, which comes at once
            return "" if event.final else f"step {event.step:,}: evaluation failed: {event.message}; training goes on"
        case CheckpointSaved():
            return f"step {event.step:,}: checkpoint {event.path}{' (best so far)' if event.best else ''}"
        case Paused():
            given = f", {event.freed / 1e9:.2g} GB of its device given back" if event.freed else ""
            return f"step {event.step:,}: paused{given}{': ' + event.message if event.message else ''}"
        case Resumed():
            return f"step {event.step:,}: going on"
        case Changed():
            return f"step {event.step:,}: {event.name} = {shown_value(event.value)}"
        case Note():
            return f"step {event.step:,}: {event.text}"
        case Stopped():
            return f"step {event.step:,}: {event.reason}{': ' + event.message if event.message else ''}"
    return ""


def _started(event: Started) -> str:
    threads = f", {counted(event.threads, 'thread')}" if event.device == "cpu" and event.threads else ""
    at_once = f", {counted(event.micro_batch, 'window')} at once" if event.micro_batch else ""
    where = f"{event.device}, {event.precision}{threads}{at_once}"
    trunk = ", ".join((event.backbone, *event.trunk_notes))
    what = f"{counted(event.trainable, 'parameter')} trained, {event.frozen:,} frozen ({trunk})"
    size = f"{counted(event.episodes, 'episode')}, {counted(event.transitions, 'transition')}"
    mean = f"mean return {event.data_return_mean:.4g}"
    begin = f"resumed at step {event.step:,}" if event.step else "started"
    return f"{begin}: {counted(event.total, 'step')} on {where}; {what}; data: {size}, {mean}"


def _evaluated(event: EvalDone) -> str:
    scores = "; ".join(
        f"return {score.mean:.4g}{bracketed(score.low, score.high, '{:.4g}'.format)} for target {score.target:g}, "
        # NaN where the task has no scale
        f"{'' if score.normalised != score.normalised else f'normalised {score.normalised:.4g}, '}"
        f"{counted(score.episodes, 'episode')}, {score.context}"
        for score in event.scores
    )
    kind = "final evaluation" if event.final else "evaluation"
    metrics = "".join(f"; {TITLES.get(name, name)} {value:.4g}" for name, value in event.metrics.items())
    return f"step {event.step:,}: {kind} in {event.seconds:.0f} s: {scores}{metrics}"
